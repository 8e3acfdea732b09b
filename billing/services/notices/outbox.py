"""What is owed to whom when the standing of an account changes: rows in the transaction of the act."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils.translation import get_supported_language_variant

from billing.models import Announcement, ApprovalRequest, BillingAccount, Notice, Suspension
from billing.models.approval import public_review
from billing.payment_profile.profiles import method_of
from milo.access import Actor
from projects.access import FINANCE_APPROVER
from projects.models import Membership

# one statement, however many projects an account pays for (issue: 10,000 of them within 300 ms); it is grouped because
# an address that a project named twice would otherwise keep its account from being suspended
_TO_PROJECTS = {
    "postgresql": """
        INSERT INTO billing_notice (uid, about, channel, account_id, project_id, cause_uid, subject_uid, recipient,
            language, context, phase, created_at, due_at, attempts, last_error)
        SELECT (%(uids)s || lpad(to_hex(row_number() OVER ()), 12, '0'))::uuid, %(about)s, 'email', %(account)s, p.id,
            %(cause)s::uuid, p.uid, contact.address, %(language)s, %(context)s::jsonb, 'Pending', now(), now(), 0, ''
        FROM billing_billingaccountbinding b JOIN projects_project p ON p.id = b.project_id
            CROSS JOIN LATERAL jsonb_array_elements_text(p.contact_email_addresses) AS contact(address)
        WHERE b.account_id = %(account)s AND b.phase = 'Active'
        GROUP BY p.id, contact.address""",
    "sqlite": """
        INSERT INTO billing_notice (uid, about, channel, account_id, project_id, cause_uid, subject_uid, recipient,
            language, context, phase, created_at, due_at, attempts, last_error)
        SELECT printf('%%s%%012x', %(uids)s, row_number() OVER ()), %(about)s, 'email', %(account)s, p.id,
            replace(%(cause)s, '-', ''), p.uid, contact.value, %(language)s, %(context)s, 'Pending',
            strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now'), strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now'), 0, ''
        FROM billing_billingaccountbinding b JOIN projects_project p ON p.id = b.project_id,
            json_each(p.contact_email_addresses) AS contact
        WHERE b.account_id = %(account)s AND b.phase = 'Active'
        GROUP BY p.id, contact.value""",
}


def queue_suspension(account: BillingAccount, suspension: Suspension, *, actor: Actor) -> None:
    """Owe every bound project, the billing-admins and the invoice contacts a notice; the projects a revision."""
    context = {"reasonCode": suspension.reason_code, "message": suspension.message}
    _queue_everyone(Notice.About.SUSPENDED, account, suspension.uid, context)
    _queue_announcement(account, "PayerSuspended", suspension.message, actor)


def queue_reactivation(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Owe the same people word that the account is in good standing again."""
    _queue_everyone(Notice.About.REACTIVATED, account, request.uid, {})
    _queue_announcement(account, "PayerReactivated", "", actor)


def queue_closure(account: BillingAccount, request: ApprovalRequest) -> None:
    """Owe the billing-admins and invoice contacts word that the account is closed; no project is bound any more."""
    _queue(Notice.About.CLOSED, account, request.uid, contacts_of(account), {})


def queue_request(request: ApprovalRequest) -> None:
    """Owe the approvers word of a request that awaits their decision."""
    approvers = User.objects.filter(groups__name=FINANCE_APPROVER, is_active=True).exclude(email="")
    context = {"justification": request.justification, "requester": request.requester, **_asked(request)}
    addresses = approvers.values_list("email", flat=True)
    # staff read the platform's language, not the customer's
    language = settings.MILO_NOTICE_LANGUAGE
    _queue(Notice.About.AWAITING_DECISION, request.account, request.uid, addresses, context, language)


def queue_decision(request: ApprovalRequest) -> None:
    """Owe the requester and the billing-admins word of what was decided."""
    requester = User.objects.filter(username=request.requester.removeprefix("user:")).exclude(email="")
    addresses = {*requester.values_list("email", flat=True), *_billing_admins(request.account)}
    context = {"phase": request.phase, "comment": request.comment, **_asked(request)}
    _queue(Notice.About.DECIDED, request.account, request.uid, addresses, context)


def _asked(request: ApprovalRequest) -> dict[str, Any]:
    """The act, and what names its object in words: the hold of a release, the project and span of an assignment."""
    asked: dict[str, Any] = {"act": request.act}
    if "hold" in request.reviewed:
        asked["hold"] = public_review(request.reviewed)["hold"]
    if request.act == ApprovalRequest.Action.ASSIGN_USAGE:
        asked["usage"] = {name: request.proposal[name] for name in ("project", "since", "until")}
    return asked


def queue_retention(about: Notice.About, account: BillingAccount, day: date, milestone: int) -> int:
    """Owe the contacts word of what comes on a day (UTC), once a milestone (days before); returns how many are new."""
    # a day that moved is news, the same day is not
    cause = uuid5(account.uid, f"{about}:{day}:{milestone}")
    owed = Notice.objects.filter(cause_uid=cause)
    before = owed.count()
    _queue(about, account, cause, contacts_of(account), {"day": day.isoformat()})
    return owed.count() - before


def queue_profile_expiry(account: BillingAccount, profile: UUID, end: date) -> None:
    """Owe the billing-admins word that the payment profile can be used up to and including `end`."""
    context = {"method": method_of(account.payment_profile), "end": end.isoformat()}
    _queue(Notice.About.PROFILE_EXPIRING, account, profile, _billing_admins(account), context)


def language_of(account: BillingAccount) -> str:
    """The language (BCP 47) of what people are told about an account.

    That of its invoices where there are texts in it, else MILO_NOTICE_LANGUAGE.
    """
    try:
        return get_supported_language_variant(account.invoice_language)
    except LookupError:
        return settings.MILO_NOTICE_LANGUAGE


def contacts_of(account: BillingAccount) -> list[str]:
    """The invoice contacts and the billing-admins of the organization, each address once."""
    return sorted({*account.invoice_email_addresses, *_billing_admins(account)})


def _billing_admins(account: BillingAccount) -> Iterable[str]:
    admins = Membership.objects.filter(
        organization_id=account.organization_id, role=Membership.Role.BILLING_ADMIN, user__is_active=True
    )
    return admins.exclude(user__email="").values_list("user__email", flat=True)


def _queue_everyone(about: Notice.About, account: BillingAccount, cause: UUID, context: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _TO_PROJECTS[connection.vendor],
            {
                "uids": _uids(),
                "about": about.value,
                "cause": str(cause),
                "context": json.dumps(context),
                "account": account.pk,
                "language": language_of(account),
            },
        )
    _queue(about, account, cause, contacts_of(account), context)


def _uids() -> str:
    """The beginning of UUIDs of version 8 (RFC 9562, section 5.8), in hexadecimal, of which the last 48 bits count up.

    To draw each of 10,000 at random took longer than to find the projects, and to keep them in an index as well.
    """
    drawn = uuid4().hex
    return f"{drawn[:12]}8{drawn[13:20]}"


def _queue(
    about: Notice.About,
    account: BillingAccount,
    cause: UUID,
    addresses: Iterable[str],
    context: dict[str, Any],
    language: str = "",
) -> None:
    notices = [
        Notice(
            about=about,
            account=account,
            cause_uid=cause,
            subject_uid=account.uid,
            recipient=address,
            language=language or language_of(account),
            context=context,
        )
        for address in sorted(set(addresses))
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)


def _queue_announcement(account: BillingAccount, reason: str, message: str, actor: Actor) -> None:
    Announcement.objects.create(account=account, reason=reason, message=message, actor=actor.name)
