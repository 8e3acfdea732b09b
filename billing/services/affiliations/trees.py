"""The trees of an organization's accounts, in memory: parents and subtrees in a month, payers of record in all."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Self

from billing.models import BillingAccountAffiliation


@dataclass(frozen=True, slots=True)
class Relation:
    """An account under `parent_id`, None for nobody, from `start` up to, not including, `until` (first days)."""

    account_id: int
    parent_id: int | None
    paid_by_parent: bool
    start: date
    until: date | None

    def covers(self, month: date) -> bool:
        return self.start <= month and (self.until is None or self.until > month)


@dataclass(frozen=True, slots=True)
class Span:
    """An account is payer of record from `start` up to, not including, `until`; None for both ends that are open."""

    payer_id: int
    start: date
    until: date | None


Relations = Mapping[int, list[Relation]]
"""The relations that are facts, by account, oldest first."""


def facts_of(organization_id: int, known_at: datetime | None = None) -> dict[int, list[Relation]]:
    """Return the relations of an organization as the ledger knew them at the instant `known_at` (UTC), or knows now."""
    rows = BillingAccountAffiliation.objects.facts().filter(organization=organization_id)
    if known_at:
        rows = rows.filter(activated_at__lte=known_at)
    columns = ("account", "parent", "payer", "effective_from", "ended_from", "finished_at")
    relations: dict[int, list[Relation]] = defaultdict(list)
    for account, parent, payer, start, ended_from, finished_at in rows.order_by("effective_from", "pk").values_list(
        *columns
    ):
        until = ended_from if known_at is None or (finished_at and finished_at <= known_at) else None
        paid = payer == BillingAccountAffiliation.Payer.PARENT
        relations[account].append(Relation(account, parent, paid, start, until))
    return dict(relations)


def plans_of(organization_id: int) -> dict[int, Relation]:
    """Return the relations of an organization that are planned, by account."""
    plans = BillingAccountAffiliation.objects.scheduled().filter(organization=organization_id)
    paid = BillingAccountAffiliation.Payer.PARENT
    return {
        account: Relation(account, parent, payer == paid, start, None)
        for account, parent, payer, start in plans.values_list("account", "parent", "payer", "effective_from")
    }


def payers_of(relations: Relations) -> dict[int, list[Span]]:
    """Return who was payer of record of each account that was ever affiliated, from its first month on, without gap."""
    return {
        account_id: list(_merged(_payers(account_id, of[0].start, None, relations)))
        for account_id, of in relations.items()
    }


def _payers(
    account_id: int, start: date, until: date | None, relations: Relations, below: tuple[int, ...] = ()
) -> Iterator[Span]:
    """Yield who pays for an account from `start` up to, not including, `until`; without a relation it does itself.

    Each look upward is at the months in question alone: two accounts may have been under one another at different
    times. Guards refuse a cycle in one month; where they were off it ends at an account that is `below` already.
    """
    for each in relations.get(account_id, ()):
        begins, ends = max(start, each.start), min(filter(None, (each.until, until)), default=None)
        if ends is not None and ends <= begins:
            continue
        if start < begins:
            yield Span(account_id, start, begins)
        if each.paid_by_parent and each.parent_id is not None and each.parent_id not in below:
            yield from _payers(each.parent_id, begins, ends, relations, (*below, account_id))
        else:
            yield Span(account_id, begins, ends)
        if ends is None:
            return
        start = ends
    if until is None or start < until:
        yield Span(account_id, start, until)


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    before: Span | None = None
    for span in spans:
        if before and before.payer_id == span.payer_id and before.until == span.start:
            before = Span(span.payer_id, before.start, span.until)
            continue
        if before:
            yield before
        before = span
    if before:
        yield before


@dataclass(frozen=True)
class Tree:
    """Who is under whom in one month: the relation of each account, by its primary key."""

    relations: Mapping[int, Relation]

    @classmethod
    def of(cls, organization_id: int, month: date, *, known_at: datetime | None = None) -> Self:
        """Return the tree of an organization in `month` (its first day)."""
        return cls.in_month(facts_of(organization_id, known_at), month)

    @classmethod
    def in_month(cls, facts: Relations, month: date, plans: Mapping[int, Relation] = MappingProxyType({})) -> Self:
        """Return the tree of `facts_of` an organization in `month`, with those of `plans` that begin up to then."""
        relations = {key: each for key, of in facts.items() for each in of if each.covers(month)}
        return cls(relations | {key: each for key, each in plans.items() if each.covers(month)})

    def with_relation(self, relation: Relation) -> "Tree":
        """Return the tree in which the account has this relation."""
        return Tree({**self.relations, relation.account_id: relation})

    def parent(self, account_id: int) -> int | None:
        relation = self.relations.get(account_id)
        return relation.parent_id if relation else None

    def above(self, account_id: int) -> list[int]:
        """Return the accounts above one, the nearest first."""
        path: list[int] = []
        parent = self.parent(account_id)
        while parent is not None and parent not in path:
            path.append(parent)
            parent = self.parent(parent)
        return path

    def depth(self, account_id: int) -> int:
        """Return the level of an account: 1 if it is under nobody."""
        return len(self.above(account_id)) + 1

    def payer(self, account_id: int) -> int:
        """Return the payer of record of an account."""
        seen = {account_id}
        relation = self.relations.get(account_id)
        while relation and relation.paid_by_parent and relation.parent_id not in (None, *seen):
            assert relation.parent_id is not None
            account_id = relation.parent_id
            seen.add(account_id)
            relation = self.relations.get(account_id)
        return account_id

    @cached_property
    def children(self) -> Mapping[int, list[int]]:
        """The accounts directly under each, by primary key."""
        children: dict[int, list[int]] = defaultdict(list)
        for account_id in sorted(self.relations):
            parent = self.relations[account_id].parent_id
            if parent is not None:
                children[parent].append(account_id)
        return children

    def paid_along(self, account_id: int) -> list[int]:
        """Return an account, and all below it that have the same payer of record by way of it."""
        return self._below(account_id, lambda child: self.relations[child].paid_by_parent)

    def subtree(self, account_id: int) -> list[int]:
        """Return an account and all below it, breadth first."""
        return self._below(account_id, lambda _child: True)

    def _below(self, account_id: int, goes_on: Callable[[int], bool]) -> list[int]:
        found, seen = [account_id], {account_id}
        for each in found:
            below = [child for child in self.children.get(each, ()) if child not in seen and goes_on(child)]
            found.extend(below)
            seen.update(below)
        return found
