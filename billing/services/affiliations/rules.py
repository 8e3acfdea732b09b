"""Why an account cannot be under another: every rule, each refusal with its field. Asked again when a plan is due."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    PayerCorrection,
    UsageAssignment,
    UsageRollup,
)
from billing.services.account_spec import AccountSpec
from billing.services.accounts import missing_account, not_ready
from billing.services.affiliations import reviews
from billing.services.affiliations.proposals import Proposed
from billing.services.affiliations.specs import ACCOUNT, PARENT, PAYER
from billing.services.compliance import rules as regional
from billing.services.payers_of_record import not_ready_as_payer
from billing.terms.payment_amounts import money_text
from milo.errors import Cause

LISTED = 100
"""Causes of one kind that a refusal names."""
_USING = (BillingAccountBinding, UsageAssignment, UsageRollup, PayerCorrection)
"""What an account has that is used; its payer of record is a question of these."""


def reference_causes(
    account: str, parent: str, child: BillingAccount | None, above: BillingAccount | None
) -> list[Cause]:
    """Return a cause for each name that no account of the organization has."""
    causes = [] if child else [missing_account(account, ACCOUNT)]
    return causes + ([missing_account(parent, PARENT)] if parent and not above else [])


def causes(proposed: Proposed, *, besides: ApprovalRequest | None = None) -> list[Cause]:
    """Return why `proposed` cannot be a fact in its month, as things are now. `besides` is the request for it."""
    return [*_phases(proposed), *_of_trees(proposed), *_taken_in(proposed, besides)]


def _of_trees(proposed: Proposed) -> list[Cause]:
    rules: Sequence[Callable[[Proposed], Iterator[Cause]]] = (_cycle, _limits, _currency, _leaving)
    return [cause for rule in rules for cause in rule(proposed)]


def later_causes(proposed: Proposed) -> list[Cause]:
    """Return what breaks a rule only in a later month, by what else is planned; each names the first such month."""
    said, found = set(_of_trees(proposed)), []
    for later in proposed.later:
        for cause in _of_trees(later):
            if cause not in said:
                said.add(cause)
                names = {"month": f"{later.month:%Y-%m}", "why": cause.message}
                found.append(replace(cause, message=_("in %(month)s: %(why)s") % names))
    return found


def _phases(proposed: Proposed) -> Iterator[Cause]:
    child = proposed.child
    if child.phase in BillingAccount.READ_ONLY:
        message = _("billing account %(name)s is %(phase)s")
        yield Cause(ACCOUNT, message % {"name": child.name, "phase": child.phase})
    if parent := proposed.parent:
        # whoever answers for the child already takes nobody in
        others = BillingAccount.objects.exclude(pk__in=(child.pk, proposed.payer_before))
        payer = others.filter(pk=proposed.payer_after).first()
        if cause := not_ready(parent, PARENT) or not_ready_as_payer(payer, parent, PARENT):
            yield cause


def _cycle(proposed: Proposed) -> Iterator[Cause]:
    child, parent = proposed.child, proposed.parent
    if parent is None or parent.pk == child.pk:
        return
    path = [parent.pk, *proposed.before.above(parent.pk)]
    if child.pk in path:
        names = _names(path)
        way = " → ".join(names[key] for key in path[: path.index(child.pk) + 1])
        message = _("%(child)s is above %(parent)s already: %(way)s")
        yield Cause(PARENT, message % {"child": child.name, "parent": parent.name, "way": way})


def _limits(proposed: Proposed) -> Iterator[Cause]:
    """Yield a cause for each account of the subtree that would be too deep, and one for a tree of too many accounts."""
    parent = proposed.parent
    if parent is None or proposed.child.pk in (parent.pk, *proposed.before.above(parent.pk)):
        return
    tree, limit = proposed.after, settings.MILO_HIERARCHY_DEPTH
    above = tree.depth(proposed.child.pk)
    depths = {proposed.child.pk: above}
    for key in proposed.subtree:
        for child in tree.children.get(key, ()):
            depths[child] = depths[key] + 1
    deep = [key for key, depth in depths.items() if depth > limit][:LISTED]
    names = _names(deep)
    message = _("%(name)s would be %(depth)d levels deep, %(limit)d are allowed")
    for key in deep:
        yield Cause(PARENT, message % {"name": names[key], "depth": depths[key], "limit": limit})
    root = (tree.above(proposed.child.pk) or [proposed.child.pk])[-1]
    size, most = len(tree.subtree(root)), settings.MILO_HIERARCHY_SIZE
    if size > most:
        message = _("the tree of %(root)s would have %(size)d accounts, %(limit)d are allowed")
        yield Cause(PARENT, message % {"root": _names([root])[root], "size": size, "limit": most})


def _currency(proposed: Proposed) -> Iterator[Cause]:
    child, payer_id = proposed.child, proposed.payer_after
    if payer_id == child.pk:
        return
    payer = BillingAccount.objects.only("name", "currency_code").get(pk=payer_id)
    if payer.currency_code != child.currency_code:
        message = _("%(name)s bills in %(code)s, its payer of record %(payer)s in %(other)s")
        none = _("no currency yet")
        codes = {"code": child.currency_code or none, "other": payer.currency_code or none}
        yield Cause(PAYER, message % {"name": child.name, "payer": payer.name, **codes})


def _leaving(proposed: Proposed) -> Iterator[Cause]:
    """Yield what keeps an account that another pays for from leaving that payer."""
    child = proposed.child
    if proposed.payer_before in (child.pk, proposed.payer_after):
        return
    if proposed.payer_after == child.pk and child.first_ready_at:
        if not child.payment_profile:
            message = _("%(name)s has no payment profile of its own: add one before it pays itself")
            yield Cause(PAYER, message % {"name": child.name})
        if child.payment_terms.missing():
            message = _("%(name)s has no payment terms of its own: add them before it pays itself")
            yield Cause(PAYER, message % {"name": child.name})
        # while another paid, the rules of invoices judged that one
        for finding in regional.errors(AccountSpec.of(child).facts(), timezone.now().date()):
            message = _("%(name)s would break a rule once it pays itself: %(field)s %(finding)s")
            names = {"name": child.name, "field": finding.field, "finding": finding.message}
            yield Cause(PAYER, message % names)
    # one would owe for what another uses: of any month, but what an earlier payer owes is no matter of this one
    leaving = [key for key, (before, _after) in proposed.changed_payers().items() if before == proposed.payer_before]
    charges = Q(account=proposed.payer_before, sub_account__in=leaving)
    # another who pays next takes nobody in who owes by itself
    yield from _charges(charges if proposed.payer_after == child.pk else charges | Q(account=child))


def _charges(of: Q) -> Iterator[Cause]:
    message = _("charge %(charge)s of %(amount)s is outstanding: settle it first")
    for charge in Charge.objects.unsettled().filter(of).order_by("pk")[:LISTED]:
        names = {"charge": charge.name, "amount": money_text(charge.amount, charge.currency_code)}
        yield Cause(ACCOUNT, message % names)


def _taken_in(proposed: Proposed, besides: ApprovalRequest | None) -> Iterator[Cause]:
    """Yield what must be settled before another than now pays for an account, be it the child or one below it."""
    child = proposed.child
    if proposed.payer_before == child.pk != proposed.payer_after:
        yield from _charges(Q(account=child))
    taken = {key for key, (_before, after) in proposed.changed_payers().items() if after != key}
    if not taken:
        return
    holds = Hold.objects.open().filter(account__in=taken).select_related("account")
    pending = ApprovalRequest.objects.pending().filter(account__in=taken).select_related("account")
    if besides:
        pending = pending.exclude(pk=besides.pk)
    release = _("%(hold)s: request its release first")
    decide = _("request %(name)s to %(act)s is pending: have it decided, or withdraw it")
    blocking = [(each.account, release % {"hold": each.described}) for each in holds.order_by("pk")[:LISTED]]
    for each in pending.order_by("pk")[:LISTED]:
        blocking.append((each.account, decide % {"name": each.name, "act": each.act}))
    for account, message in blocking:
        yield Cause(ACCOUNT, message if account == child else f"{account.name}: {message}")


def approval_causes(changed: Collection[int]) -> list[Cause]:
    """Return a cause if one of `changed`, which get another payer of record, is used: a second person must approve."""
    if not used_among(list(changed)):
        return []
    message = _("changes who is payer of record of an account that is used: ask for act Affiliate")
    return [Cause("spec", message)]


def fact_causes(affiliation: BillingAccountAffiliation, proposed: Proposed) -> list[Cause]:
    """Return why a plan cannot be a fact as things are now; of what was unused when it was planned, too.

    A plan of a later month is asked when that has come: it, and not this one, fails then.
    """
    made = BillingAccountAffiliation.history.filter(id=affiliation.pk, history_type="+")
    approval, changed = made.values_list("history_approval", flat=True).first(), proposed.changed_payers()
    if approval is None:
        return causes(proposed) + approval_causes(changed)
    used, names = used_among(list(changed)), _names([after for _before, after in changed.values()])
    payers = {name: names[changed[key][1]] for key, name in used.items()}
    message = _("%(name)s would be invoiced to %(payer)s, which nobody has approved: ask for act Affiliate again")
    return causes(proposed) + [
        Cause("spec", message % {"name": name, "payer": payers[name]})
        for name in reviews.unseen(affiliation, approval, payers)
    ]


def used_among(accounts: Sequence[int]) -> Mapping[int, str]:
    """Return the names of those of `accounts` (primary keys) that ever paid for a project, by primary key."""
    used: set[int] = set()
    for start in range(0, len(accounts), 1000):
        part = accounts[start : start + 1000]
        for model in _USING:
            rows = model._default_manager.filter(account__in=part).order_by()
            used.update(key for key in rows.values_list("account", flat=True).distinct() if key)
    return dict(BillingAccount.objects.filter(pk__in=used).values_list("pk", "name"))


def same_causes(proposed: Proposed, paid_by_parent: bool) -> list[Cause]:
    """Return a cause if the account is in this relation already."""
    child, parent = proposed.child, proposed.parent
    active = BillingAccountAffiliation.objects.active().filter(account=child).first()
    payer = BillingAccountAffiliation.Payer.PARENT if paid_by_parent else BillingAccountAffiliation.Payer.SELF
    if parent is None and (active is None or active.parent_id is None):
        return [Cause(PARENT, _("%(name)s stands alone already") % {"name": child.name})]
    if parent and active and (active.parent_id, active.payer) == (parent.pk, payer):
        message = _("%(name)s is under %(parent)s already, by %(affiliation)s")
        names = {"name": child.name, "parent": parent.name, "affiliation": active.name}
        return [Cause(PARENT, message % names, "FieldValueDuplicate")]
    return []


def _names(keys: Sequence[int]) -> dict[int, str]:
    return dict(BillingAccount.objects.filter(pk__in=keys).values_list("pk", "name"))
