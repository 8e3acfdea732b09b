"""Close and reopen an account: the blockers of a closure, and the effects of an approved request."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    DefaultAccount,
    Hold,
    PayerChange,
    PayerChangeItem,
    Suspension,
)
from billing.services import payers_of_record
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.locked_payers import why_locked
from billing.services.notices import outbox
from billing.services.payer_changes.plans import day_or_instant, open_items
from billing.terms.payment_amounts import money_text
from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid

LISTED = 100
"""Blockers listed of each type at most."""
MOVERS = "billing-admin, billing-user, finance-operator"
CLOSABLE = (BillingAccount.Phase.READY, BillingAccount.Phase.SUSPENDED, BillingAccount.Phase.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Blocker:
    """An object that keeps an account from being closed; `fix` says what removes it, `who` names the roles that can."""

    type: str
    name: str
    message: str
    fix: str
    who: str

    @property
    def cause(self) -> "BlockerCause":
        """Return the blocker as a cause of a refusal."""
        return BlockerCause(ACCOUNT_FIELD, f"{self.type} {self.name}: {self.message}; {self.fix}", blocker=self)


@dataclass(frozen=True, slots=True)
class LockedBlocker(Blocker):
    """A binding that nothing removes before its payer is unlocked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockerCause(Cause):
    """A cause of a refusal that a page may list as the blocker that it is, in words of its own."""

    blocker: Blocker


def blockers(account: BillingAccount, *, besides: ApprovalRequest | None = None) -> list[Blocker]:
    """Return everything that keeps `account` from being closed, of each type at most the first 100.

    `besides` is the request for this closure, which is no blocker of itself.
    """
    return [
        *_bindings(account),
        *_plans(account),
        *_below(account),
        *_default_of(account),
        *_charges(account),
        *_holds(account),
        *_requests(account, besides),
    ]


def _bindings(account: BillingAccount) -> list[Blocker]:
    bindings = BillingAccountBinding.objects.paying().filter(account=account).select_related("project")
    listed = list(bindings.order_by("pk")[:LISTED])
    projects = [binding.project_id for binding in listed]
    planned, locked = open_items(projects), why_locked(projects)
    return [
        (LockedBlocker if binding.project_id in locked else Blocker)(
            "BillingAccountBinding",
            binding.name,
            _("project %(name)s is bound to the account") % {"name": binding.project.name},
            "; ".join(filter(None, [locked.get(binding.project_id), _way_out(planned.get(binding.project_id))])),
            "billing-admin, finance-operator" if binding.project_id in locked else MOVERS,
        )
        for binding in listed
    ]


def _way_out(planned: PayerChangeItem | None) -> str:
    if planned is None:
        return _("bind the project to another account, or archive it")
    message = _("wait until it moves to %(account)s on %(at)s by payer change %(change)s")
    names = {"account": planned.change.account.name, "change": planned.change.name}
    return message % {**names, "at": day_or_instant(planned.effective_at)}


def _plans(account: BillingAccount) -> list[Blocker]:
    """Return payer changes towards the account. One away from it is the way out, which its bindings name."""
    changes = PayerChange.objects.open().filter(account=account)
    return [
        Blocker(
            "PayerChange",
            change.name,
            _("projects move to the account on %(at)s") % {"at": day_or_instant(change.effective_at)},
            _("cancel it"),
            MOVERS,
        )
        for change in changes.order_by("pk")[:LISTED]
    ]


def _below(account: BillingAccount) -> list[Blocker]:
    """Return the accounts under the account that are not closed, and those planned to be."""
    phases = (BillingAccountAffiliation.Phase.ACTIVE, BillingAccountAffiliation.Phase.SCHEDULED)
    rows = BillingAccountAffiliation.objects.filter(parent=account, phase__in=phases).select_related("account")
    below = _("account %(name)s is under the account")
    planned = _("account %(name)s is to be under the account from %(month)s on")
    listed = []
    for each in rows.exclude(account__phase__in=BillingAccount.READ_ONLY).order_by("pk")[:LISTED]:
        active = each.phase == BillingAccountAffiliation.Phase.ACTIVE
        message = below if active else planned
        names = {"name": each.account.name, "month": f"{each.effective_from:%Y-%m}"}
        fix = _("move it or close it first") if active else _("cancel it")
        listed.append(
            Blocker("BillingAccountAffiliation", each.name, message % names, fix, "billing-admin, finance-operator")
        )
    return listed


def _default_of(account: BillingAccount) -> list[Blocker]:
    return [
        Blocker(
            "Organization",
            default.organization.name,
            _("the account pays for new projects of the organization"),
            _("name another default"),
            "billing-admin, finance-operator",
        )
        for default in DefaultAccount.objects.filter(account=account).select_related("organization")
    ]


def _charges(account: BillingAccount) -> list[Blocker]:
    return [
        Blocker(
            "Charge",
            charge.name,
            _("%(amount)s are outstanding, due %(due)s")
            % {"amount": money_text(charge.amount, charge.currency_code), "due": charge.due_date},
            _("have the settlement reported"),
            "charge-reporter",
        )
        for charge in Charge.objects.filter(account=account).unsettled().order_by("pk")[:LISTED]
    ]


def _holds(account: BillingAccount) -> list[Blocker]:
    return [
        Blocker("Hold", str(hold.uid), hold.described, _("request its release"), "finance-operator")
        for hold in Hold.objects.filter(account=account).open().order_by("pk")[:LISTED]
    ]


def _requests(account: BillingAccount, besides: ApprovalRequest | None) -> list[Blocker]:
    pending = ApprovalRequest.objects.pending().filter(account=account)
    if besides:
        pending = pending.exclude(pk=besides.pk)
    return [
        Blocker(
            "ApprovalRequest",
            request.name,
            _("a request to %(act)s is pending") % {"act": request.act},
            _("have it decided, or withdraw it"),
            "finance-approver, the requester",
        )
        for request in pending.order_by("pk")[:LISTED]
    ]


def close_causes(account: BillingAccount, besides: ApprovalRequest | None = None) -> list[Cause]:
    """Return why `account`, locked by the caller, cannot be closed now."""
    if account.phase not in CLOSABLE:
        return [Cause(ACCOUNT_FIELD, _("a %(phase)s account cannot be closed") % {"phase": account.phase})]
    return [blocker.cause for blocker in blockers(account, besides=besides)]


def close(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Close `account`, locked by the caller, in the transaction of the approval. Raises `Invalid` for any blocker."""
    if causes := close_causes(account, request):
        raise Invalid.because(causes, _("the account cannot be closed yet"))
    account.close()
    audit.save_as(actor, account, reason="BillingAccountClosed", why=f"approved by request {request.name}")
    outbox.queue_closure(account, request)
    outbox.queue_standing(account, actor=actor)


def lock_above(organization_id: int, account: str, _proposal: dict[str, Any]) -> None:
    """Keep in their phases whoever pays for the account named `account`, and the account that it is under."""
    under = BillingAccountAffiliation.objects.active().filter(organization=organization_id, account__name=account)
    parents = under.exclude(parent=None).values_list("parent", flat=True)
    payers_of_record.lock_shared(organization_id=organization_id, name=account, others=list(parents))


def reopen_causes(account: BillingAccount) -> list[Cause]:
    """Return why `account`, locked by the caller, cannot be reopened now.

    It must be Closed, for at most MILO_REOPEN_WINDOW_DAYS, its payer of record Ready or Suspended, and no account
    closed that it is under, whoever pays.
    """
    if account.phase != BillingAccount.Phase.CLOSED or account.closed_at is None:
        return [
            Cause(
                ACCOUNT_FIELD,
                _("only a Closed account can be reopened, this one is %(phase)s") % {"phase": account.phase},
            )
        ]
    ends = account.closed_at + timedelta(days=settings.MILO_REOPEN_WINDOW_DAYS)
    if timezone.now() > ends:
        return [Cause(ACCOUNT_FIELD, _("the time to reopen it ended on %(day)s") % {"day": ends.date()})]
    return list(_closed_above(account))


def _closed_above(account: BillingAccount) -> Iterator[Cause]:
    payer = account.paid_by
    if payer and payer.phase not in (BillingAccount.Phase.READY, BillingAccount.Phase.SUSPENDED):
        message = _("its payer of record %(payer)s is %(phase)s")
        yield Cause(ACCOUNT_FIELD, message % {"payer": payer.name, "phase": payer.phase})
    active = BillingAccountAffiliation.objects.active().filter(account=account).select_related("parent").first()
    parent = active.parent if active else None
    # no account is closed above an open one; whatever can be reopened below it, it can be for longer
    if parent and parent != payer and parent.phase in BillingAccount.READ_ONLY:
        message = _("it is under %(parent)s, which is %(phase)s: have that reopened first")
        yield Cause(ACCOUNT_FIELD, message % {"parent": parent.name, "phase": parent.phase})


def reopen(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Return `account`, locked by the caller, to its phase before the closure, in the transaction of the approval.

    Raises `Invalid` for an account that is not Closed, or after the reopen window.
    """
    if causes := reopen_causes(account):
        raise Invalid.because(causes, _("the account cannot be reopened"))
    account.reopen(*_standing_before(account))
    audit.save_as(actor, account, reason="BillingAccountReopened", why=f"approved by request {request.name}")
    outbox.queue_standing(account, actor=actor)


def _standing_before(account: BillingAccount) -> tuple[str, str]:
    """Return reason and message of the phase that the account returns to."""
    if account.closed_from == BillingAccount.Phase.SUSPENDED:
        newest = Suspension.objects.filter(account=account).order_by("-pk").first()
        return (newest.reason_code, newest.message) if newest else ("BillingAccountSuspended", "")
    if account.closed_from == BillingAccount.Phase.INCOMPLETE:
        with audit.ledger_language():
            missing = "; ".join(f"{cause.field} {cause.message}" for cause in account.missing())
        return "BillingAccountIncomplete", missing
    return "BillingAccountActive", "Billing account is active and ready for project linking"
