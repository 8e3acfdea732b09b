"""Queue notices: rows written in the transaction of the change that people are told about.

A notice is one mail to one address; an announcement is one event for each project that the account pays for, and for
each account that it is payer of record of. Both are rows first, so that a crash, or a mail server that is away, can
delay them but not lose them.
"""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import get_supported_language_variant

from billing.models import (
    Announcement,
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    Notice,
    PayerCorrection,
    Suspension,
)
from billing.models.affiliation import accounts_invoiced_to
from billing.models.approval import public_review
from billing.payment_profile.profiles import method_of
from milo import traces
from milo.access import Actor
from milo.identity.actors import PERSON
from milo.kube.store.manifests import precise_instant
from projects.access import FINANCE_APPROVER
from projects.models import Membership, Project

LINES = 100
"""Amounts that one notice lists at most."""
# one statement, however many projects an account pays for: 10,000 of them within 300 ms. GROUP BY, because an address
# that a project names twice would break the unique constraint, and the suspension with it
_TO_PROJECTS = {
    "postgresql": """
        INSERT INTO billing_notice (uid, about, channel, account_id, project_id, cause_uid, subject_uid, recipient,
            language, context, phase, created_at, due_at, attempts, last_error, traceparent,
            tracestate)
        SELECT (%(uids)s || lpad(to_hex(row_number() OVER ()), 12, '0'))::uuid, %(about)s, 'email', %(account)s, p.id,
            %(cause)s::uuid, p.uid, contact.address, %(language)s, %(context)s::jsonb, 'Pending', now(), now(), 0, '',
            %(traceparent)s, %(tracestate)s
        FROM billing_billingaccountbinding b JOIN projects_project p ON p.id = b.project_id
            CROSS JOIN LATERAL jsonb_array_elements_text(p.contact_email_addresses) AS contact(address)
        WHERE b.account_id IN (SELECT %(account)s UNION ALL SELECT o.account_id FROM billing_accountpayer o
            WHERE o.payer_id = %(account)s AND o.until_month IS NULL AND o.account_id <> o.payer_id)
            AND b.phase = 'Active'
        GROUP BY p.id, contact.address""",
    "sqlite": """
        INSERT INTO billing_notice (uid, about, channel, account_id, project_id, cause_uid, subject_uid, recipient,
            language, context, phase, created_at, due_at, attempts, last_error, traceparent,
            tracestate)
        SELECT printf('%%s%%012x', %(uids)s, row_number() OVER ()), %(about)s, 'email', %(account)s, p.id,
            replace(%(cause)s, '-', ''), p.uid, contact.value, %(language)s, %(context)s, 'Pending',
            strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now'), strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now'), 0, '',
            %(traceparent)s, %(tracestate)s
        FROM billing_billingaccountbinding b JOIN projects_project p ON p.id = b.project_id,
            json_each(p.contact_email_addresses) AS contact
        WHERE b.account_id IN (SELECT %(account)s UNION ALL SELECT o.account_id FROM billing_accountpayer o
            WHERE o.payer_id = %(account)s AND o.until_month IS NULL AND o.account_id <> o.payer_id)
            AND b.phase = 'Active'
        GROUP BY p.id, contact.value""",
}


def queue_suspension(account: BillingAccount, suspension: Suspension, *, actor: Actor) -> None:
    """Queue a notice to bound projects, billing-admins and invoice contacts, and the events of the projects."""
    context = {"reasonCode": suspension.reason_code, "message": suspension.message}
    _queue_everyone(Notice.About.SUSPENDED, account, suspension.uid, context)
    _queue_announcement(account, "PayerSuspended", suspension.message, actor)


def queue_reactivation(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Queue a notice to the same people that the account is Ready again, and the events of the projects."""
    _queue_everyone(Notice.About.REACTIVATED, account, request.uid, {})
    _queue_announcement(account, "PayerReactivated", "", actor)


def queue_closure(account: BillingAccount, request: ApprovalRequest) -> None:
    """Queue a notice of the closure to billing-admins and invoice contacts; no project is bound any more."""
    _queue(Notice.About.CLOSED, account, request.uid, contacts_of(account), {})


def queue_standing(account: BillingAccount, *, actor: Actor) -> None:
    """Queue the events of the accounts that `account` is payer of record of, whose phase changed; no project has it."""
    if not accounts_invoiced_to(account).exists():
        return
    ready = account.phase == BillingAccount.Phase.READY
    _queue_announcement(account, "PayerOfRecordReady" if ready else "PayerOfRecordNotReady", "", actor)


def queue_assessment(account: BillingAccount, *, actor: Actor) -> None:
    """Queue the assessment of the accounts that `account`, which was revised, is payer of record of."""
    if accounts_invoiced_to(account).exists():
        _queue_announcement(account, "PayerOfRecordRevised", "", actor)


def queue_payers_of_record(accounts: Iterable[BillingAccount], why: str, *, actor: Actor) -> None:
    """Queue the events of the projects of `accounts`, whose payer of record changed; each project gets one."""
    payers = {account.pk: account.paid_by_id for account in accounts}
    bound = BillingAccountBinding.objects.paying().filter(account__in=payers).order_by()
    # the events of an account reach the projects of those that it pays for
    above = {
        payers[key] if payers[key] in payers else key for key in bound.values_list("account", flat=True).distinct()
    }
    Announcement.objects.bulk_create(
        Announcement(account_id=key, reason="PayerOfRecordChanged", message=why, actor=actor.name)
        for key in sorted(key for key in above if key)
    )


def queue_request(request: ApprovalRequest) -> None:
    """Queue a notice to the approvers that a request awaits their decision."""
    approvers = User.objects.filter(groups__name=FINANCE_APPROVER, is_active=True).exclude(email="")
    context = {"justification": request.justification, "request": request.pk, **_asker(request), **_action(request)}
    addresses = approvers.values_list("email", flat=True)
    # staff read the platform's language, not the customer's
    language = settings.MILO_NOTICE_LANGUAGE
    _queue(Notice.About.AWAITING_DECISION, request.account, request.uid, addresses, context, language)


def queue_decision(request: ApprovalRequest) -> None:
    """Queue a notice of the decision to the requester and the billing-admins."""
    context = {"phase": request.phase, "comment": request.comment, **_asker(request), **_action(request)}
    recipients = recipients_of_decision(request)
    staff = set(User.objects.filter(email__in=recipients, is_staff=True).values_list("email", flat=True))
    about, account, cause = Notice.About.DECIDED, request.account, request.uid
    # customers cannot open the staff site
    _queue(about, account, cause, recipients & staff, context | {"request": request.pk})
    _queue(about, account, cause, recipients - staff, context)


def _asker(request: ApprovalRequest) -> dict[str, str]:
    """Return the actor who asked, and the person's name where there is one."""
    user = User.objects.filter(username=request.requester.removeprefix(PERSON)).first()
    name = user.get_full_name() if user else ""
    return {"requester": request.requester, **({"requesterName": name} if name else {})}


def recipients_of_decision(request: ApprovalRequest) -> set[str]:
    """Return the addresses of the requester and of the billing-admins of the organization."""
    requester = User.objects.filter(username=request.requester.removeprefix("user:")).exclude(email="")
    return set(requester.values_list("email", flat=True).union(_billing_admins(request.account)))


def queue_correction(
    correction: PayerCorrection, accounts: Iterable[BillingAccount], moved: list[dict[str, str]]
) -> None:
    """Queue a notice of a correction to the contacts of the accounts that paid or should have, and of the project.

    `moved` has the amounts: `account` that paid, empty for nobody, `meter`, `quantity`, `unit`. An account that paid
    reads its own.
    """
    payer, project = correction.account, correction.project
    context = {
        "projectName": project.name,
        "payer": payer.name,
        "since": precise_instant(correction.starts_at),
        "until": precise_instant(correction.ends_at),
    }
    cause = correction.request.uid
    for account in accounts:
        own = [line for line in moved if account == payer or line["account"] == account.name]
        _queue(Notice.About.PAYER_CORRECTED, account, cause, contacts_of(account), context | {"moved": own[:LINES]})
    contacts = [str(address) for address in project.contact_email_addresses]
    whole = context | {"moved": moved[:LINES]}
    _queue(Notice.About.PAYER_CORRECTED, payer, cause, contacts, whole, project=project)


def _action(request: ApprovalRequest) -> dict[str, Any]:
    """Return the action, and its object in words: hold of a release, span of an assignment, projects, accounts."""
    action: dict[str, Any] = {"act": request.act}
    if "hold" in request.reviewed:
        action["hold"] = public_review(request.reviewed)["hold"]
    if request.act == ApprovalRequest.Action.ASSIGN_USAGE:
        action["usage"] = {name: request.proposal[name] for name in ("project", "since", "until")}
    if request.act == ApprovalRequest.Action.REDATE_BINDINGS:
        action["redated"] = request.proposal["project"]
    if request.act == ApprovalRequest.Action.MOVE_PAYERS:
        action["moved"] = len(request.reviewed["projects"])
    if affiliation := request.reviewed.get("affiliation"):
        relation = {name: affiliation[name] for name in ("parent", "payer")}
        action["affiliation"] = {"child": request.account.name, **relation, "month": affiliation["effectiveFrom"]}
    if request.act == ApprovalRequest.Action.CORRECT_PAYER:
        action["correction"] = {name: request.proposal.get(name, "") for name in ("project", "since", "until")}
    return action


def queue_retention(about: Notice.About, account: BillingAccount, day: date, milestone: int) -> int:
    """Queue a notice to the contacts of an archival or purge on `day` (UTC), and return how many notices are new.

    Each is sent once for a day and a milestone (days in advance); a day that moved is announced again.
    """
    cause = uuid5(account.uid, f"{about}:{day}:{milestone}")
    return queue_once(about, account, cause, contacts_of(account), {"day": day.isoformat()})


def queue_once(
    about: Notice.About, account: BillingAccount, cause: UUID, addresses: Iterable[str], context: dict[str, Any]
) -> int:
    """Queue a notice to each address that has none for this cause, and return how many are new."""
    notices = Notice.objects.filter(cause_uid=cause)
    before = notices.count()
    _queue(about, account, cause, addresses, context)
    return notices.count() - before


def queue_profile_expiry(account: BillingAccount, profile: UUID, end: date) -> None:
    """Queue a notice to the billing-admins that the payment profile can be used up to and including `end`."""
    context = {"method": method_of(account.payment_profile), "end": end.isoformat()}
    _queue(Notice.About.PROFILE_EXPIRING, account, profile, _billing_admins(account), context)


def language_of(account: BillingAccount) -> str:
    """Return the language (BCP 47) of notices about an account.

    It is the language of its invoices if there are translations, else MILO_NOTICE_LANGUAGE.
    """
    try:
        return get_supported_language_variant(account.invoice_language)
    except LookupError:
        return settings.MILO_NOTICE_LANGUAGE


def contacts_of(account: BillingAccount) -> list[str]:
    """Return the addresses of the invoice contacts and of the organization's billing-admins, each once."""
    return sorted({*account.invoice_email_addresses, *_billing_admins(account)})


def _billing_admins(account: BillingAccount) -> "QuerySet[Membership, str]":
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
                "traceparent": traces.traceparent(),
                "tracestate": traces.tracestate(),
            },
        )
    _queue(about, account, cause, contacts_of(account), context)


def _uids() -> str:
    """Return the first 80 bits, in hexadecimal, of UUIDs of version 8 (RFC 9562, section 5.8); the last 48 bits count.

    10,000 random UUIDs took longer to draw than the projects to find, and longer to index than UUIDs in order.
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
    project: Project | None = None,
) -> None:
    subject = project or account
    notices = [
        Notice(
            about=about,
            account=account,
            project=project,
            cause_uid=cause,
            subject_uid=subject.uid,
            recipient=address,
            language=language or language_of(account),
            context=context,
        )
        for address in sorted(set(addresses))
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)


def _queue_announcement(account: BillingAccount, reason: str, message: str, actor: Actor) -> None:
    Announcement.objects.create(account=account, reason=reason, message=message, actor=actor.name)
