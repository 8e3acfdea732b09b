"""A relation that is not there yet: the trees of an organization without it and with it, from its first month on."""

from dataclasses import dataclass, replace
from datetime import date
from itertools import zip_longest

from billing.models import BillingAccount
from billing.services.affiliations.trees import Relation, Tree, facts_of, plans_of


@dataclass(frozen=True, slots=True)
class Stretch:
    """Months from `start` up to, not including, `until` in which `after` is payer of record instead of `before`."""

    start: date
    until: date | None
    before: int
    after: int


@dataclass(frozen=True)
class Proposed:
    """`child` under `parent`, None for nobody, from `month` (its first day): the tree without it, and with it.

    `later` is the same in each later month in which another plan begins, as far as any is planned.
    """

    child: BillingAccount
    parent: BillingAccount | None
    month: date
    before: Tree
    after: Tree
    later: tuple["Proposed", ...] = ()

    @property
    def payer_before(self) -> int:
        return self.before.payer(self.child.pk)

    @property
    def payer_after(self) -> int:
        return self.after.payer(self.child.pk)

    @property
    def subtree(self) -> list[int]:
        """Return the child and all below it, by primary key."""
        return self.after.subtree(self.child.pk)

    def changed_payers(self) -> dict[int, tuple[int, int]]:
        """Return the accounts whose payer of record changes in the month: before and after, all by primary keys."""
        payers = {key: (self.before.payer(key), self.after.payer(key)) for key in self.subtree}
        return {key: pair for key, pair in payers.items() if pair[0] != pair[1]}

    def changed_onwards(self) -> dict[int, list[Stretch]]:
        """Return the accounts whose payer of record changes in any month from its own on, and how in which months."""
        stretches: dict[int, list[Stretch]] = {}
        each_month = (self, *self.later)
        for proposed, following in zip_longest(each_month, self.later):
            until = following.month if following else None
            for key, (before, after) in proposed.changed_payers().items():
                stretch, of = Stretch(proposed.month, until, before, after), stretches.setdefault(key, [])
                if of and (of[-1].until, of[-1].before, of[-1].after) == (proposed.month, before, after):
                    stretch = replace(of.pop(), until=until)
                of.append(stretch)
        return stretches


def propose(child: BillingAccount, parent: BillingAccount | None, paid_by_parent: bool, month: date) -> Proposed:
    """Return the proposal with the trees of `month` and of later ones, each with what is planned up to then."""
    facts, plans = facts_of(child.organization_id), plans_of(child.organization_id)
    # the present relation is what goes on if this one does not begin; a plan of the account is what this one cancels
    plans.pop(child.pk, None)
    relation = Relation(child.pk, parent.pk if parent else None, paid_by_parent, month, None)
    months = [month, *sorted({plan.start for plan in plans.values() if plan.start > month})]
    trees = [Tree.in_month(facts, each, plans) for each in months]
    proposals = [
        Proposed(child, parent, each, tree, tree.with_relation(relation))
        for each, tree in zip(months, trees, strict=True)
    ]
    return replace(proposals[0], later=tuple(proposals[1:]))
