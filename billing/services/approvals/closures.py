"""Closing and reopening an account: what stands in the way, and what happens once a second person agreed."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Charge, Hold, Suspension
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.notices import owing
from billing.terms.payment_amounts import money_text
from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid

LISTED = 100
CLOSABLE = (BillingAccount.Phase.READY, BillingAccount.Phase.SUSPENDED, BillingAccount.Phase.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that keeps an account from being closed: what it is, what removes it, and who may do that."""

    type: str
    name: str
    message: str
    fix: str
    who: str


def blockers(account: BillingAccount, *, besides: ApprovalRequest | None = None) -> list[Blocker]:
    """Everything that keeps `account` from being closed, at once; of each type at most the first 100.

    `besides` is the request for this very closure, which does not stand in its own way.
    """
    return [*_bindings(account), *_charges(account), *_holds(account), *_requests(account, besides)]


def _bindings(account: BillingAccount) -> list[Blocker]:
    bindings = BillingAccountBinding.objects.paying().filter(account=account).select_related("project")
    return [
        Blocker(
            "BillingAccountBinding",
            binding.name,
            _("project %(name)s is bound to the account") % {"name": binding.project.name},
            _("bind the project to another account, or archive it"),
            "billing-admin, billing-user, finance-operator",
        )
        for binding in bindings.order_by("pk")[:LISTED]
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
    """Why `account`, which the caller holds locked, cannot be closed now."""
    if account.phase not in CLOSABLE:
        return [Cause(ACCOUNT_FIELD, _("a %(phase)s account cannot be closed") % {"phase": account.phase})]
    return [
        Cause(ACCOUNT_FIELD, f"{found.type} {found.name}: {found.message}; {found.fix}")
        for found in blockers(account, besides=besides)
    ]


def close(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Close `account`, which is locked, by an approved request, in the same act."""
    if causes := close_causes(account, request):
        raise Invalid.because(causes, _("the account cannot be closed yet"))
    account.close()
    audit.save_as(actor, account, reason="BillingAccountClosed", why=f"approved by request {request.name}")
    owing.owe_closure(account, request)


def reopen_causes(account: BillingAccount) -> list[Cause]:
    """Why `account`, which the caller holds locked, cannot be reopened now."""
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
    return []


def reopen(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Take `account`, which is locked, back to the phase before its closure, in the act of the approval."""
    if causes := reopen_causes(account):
        raise Invalid.because(causes, _("the account cannot be reopened"))
    account.reopen(*_standing_before(account))
    audit.save_as(actor, account, reason="BillingAccountReopened", why=f"approved by request {request.name}")


def _standing_before(account: BillingAccount) -> tuple[str, str]:
    """Reason and message of the phase that the account returns to."""
    if account.closed_from == BillingAccount.Phase.SUSPENDED:
        newest = Suspension.objects.filter(account=account).order_by("-pk").first()
        return (newest.reason_code, newest.message) if newest else ("BillingAccountSuspended", "")
    if account.closed_from == BillingAccount.Phase.INCOMPLETE:
        # what the ledger keeps is in one language, whoever acts
        with translation.override(settings.LANGUAGE_CODE):
            missing = "; ".join(f"{cause.field} {cause.message}" for cause in account.missing())
        return "BillingAccountIncomplete", missing
    return "BillingAccountActive", "Billing account is active and ready for project linking"
