"""Rows for tests, created through the services."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest import mock

from django.contrib.auth.models import Group, User
from django.utils import timezone

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    Notice,
    PayerCorrection,
    Suspension,
    UsageAssignment,
)
from billing.services.accounts import AccountSpec, open_account
from billing.services.approvals import decisions, requests
from billing.services.bindings import bind
from billing.services.suspensions import suspend
from billing.terms.payment_terms import PaymentTerms
from milo import audit
from milo.access import Actor
from milo.identity.actors import actor_of
from milo.identity.models import ServiceToken
from milo.identity.tokens import issue_token
from projects.models import Organization, Project
from projects.services.memberships import grant
from projects.services.organizations import OrganizationSpec, create_organization
from projects.services.projects import ProjectSpec, create_project

PLATFORM = Actor.system("tests")
TERMS = PaymentTerms(net_days=30, invoice_frequency="Monthly", invoice_day_of_month=1)
CARD = {"creditCard": {"cardReference": "cc-12345"}}
_numbers = count(1)


def a_name(stem: str) -> str:
    return f"{stem}-{next(_numbers)}"


def an_organization(name: str | None = None) -> Organization:
    return create_organization(name or a_name("org"), OrganizationSpec("An organization"), actor=PLATFORM)


@contextmanager
def created_at(at: datetime) -> Iterator[None]:
    """Create projects inside as of an instant; the default of their column is a clock that no test replaces."""
    column = Project._meta.get_field("created_at")
    with mock.patch.object(column, "_get_default", return_value=at):
        yield


def a_project(organization: Organization, name: str | None = None, **spec: Any) -> Project:
    return create_project(name or a_name("project"), organization.pk, ProjectSpec(**spec), actor=PLATFORM)


def a_ready_account(organization: Organization, name: str | None = None, **spec: Any) -> BillingAccount:
    full: dict[str, Any] = {"currency_code": "USD", "payment_terms": TERMS, "payment_profile": CARD}
    return open_account(organization.pk, name or a_name("account"), AccountSpec(**full | spec), actor=PLATFORM)


def an_incomplete_account(organization: Organization, name: str | None = None) -> BillingAccount:
    return open_account(organization.pk, name or a_name("account"), AccountSpec(currency_code="USD"), actor=PLATFORM)


def a_binding(project: Project, account: BillingAccount, name: str | None = None) -> BillingAccountBinding:
    return bind(project.organization_id, name or a_name("binding"), project.name, account.name, actor=PLATFORM)


def a_person(
    name: str | None = None, *, groups: tuple[str, ...] = (), roles: dict[Organization, str] | None = None, **user: Any
) -> User:
    """Create a user with platform roles (`groups`) and roles in organizations (`roles`)."""
    person = User.objects.create_user(name or a_name("person"), password="correct horse battery", **user)
    for group in groups:
        person.groups.add(Group.objects.get_or_create(name=group)[0])
    for organization, role in (roles or {}).items():
        grant(organization, person, role, actor=PLATFORM)
    return person


def an_actor(**person: Any) -> Actor:
    return actor_of(a_person(**person))


def a_token(person: User, **token: Any) -> tuple[ServiceToken, str]:
    """Issue a token of `person` by themselves. Return its row and the secret."""
    return issue_token(person, actor=actor_of(person), **token)


REQUESTER = Actor("user:requester", frozenset({"finance-operator"}))
APPROVER = Actor("user:approver", frozenset({"finance-approver"}))


LONG_TERMS = {"paymentTerms": {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}}


def a_request(
    account: BillingAccount, act: str = "ReviseTerms", *, actor: Actor = REQUESTER, **request: Any
) -> ApprovalRequest:
    """Create a pending approval request."""
    if act == "ReviseTerms":
        request.setdefault("proposal", LONG_TERMS)
    return requests.request_approval(
        account.organization_id, account.name, act, justification="agreed with the customer", actor=actor, **request
    )


def approve(request_id: int, *, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Approve a request with the hash of its current content."""
    reviewed_hash = ApprovalRequest.objects.values_list("reviewed_hash", flat=True).get(pk=request_id)
    return decisions.approve(request_id, reviewed_hash=reviewed_hash, comment=comment, actor=actor)


def an_approved(account: BillingAccount, act: str, **request: Any) -> ApprovalRequest:
    """Create a request and approve it as a second person."""
    return approve(a_request(account, act, **request).pk, actor=APPROVER)


def in_phase(account: BillingAccount, phase: str) -> BillingAccount:
    """Move a Ready account to another phase, through the services where one leads there."""
    if phase == BillingAccount.Phase.SUSPENDED:
        suspend(account.pk, reason_code="ManualReview", message="under review", actor=PLATFORM)
    elif phase in BillingAccount.READ_ONLY:
        an_approved(account, "Close")
        if phase == BillingAccount.Phase.ARCHIVED:
            BillingAccount.objects.filter(pk=account.pk).update(phase=phase, archived_at=timezone.now())
    elif phase != BillingAccount.Phase.READY:
        BillingAccount.objects.filter(pk=account.pk).update(phase=phase)
    account.refresh_from_db()
    return account


def an_assignment(
    project: Project, request: ApprovalRequest, *, starts_at: datetime, ends_at: datetime
) -> UsageAssignment:
    """Assign a time span of `project`'s usage to the account of a request, whether or not it has usage."""
    assignment = UsageAssignment(
        project=project,
        account=request.account,
        request=request,
        starts_at=starts_at,
        ends_at=ends_at,
        assigned_at=timezone.now(),
    )
    with audit.transaction():
        return audit.save_as(PLATFORM, assignment, reason="UsageAssigned")


def a_payer_correction(project: Project, account: BillingAccount, **span: datetime) -> PayerCorrection:
    """Correct the payer of `project` to `account` by an approved request; for its first microsecond without a span."""
    since = span.get("since", project.created_at)
    until = span.get("until", since + timedelta(microseconds=1))
    proposal = {"project": project.name, "since": since.isoformat(), "until": until.isoformat()}
    request = an_approved(account, "CorrectPayer", proposal=proposal)
    return PayerCorrection.objects.get(request=request)


def delivered_at_once(account: BillingAccount, count: int) -> None:
    """Create notices of one suspension to `count` recipients, all delivered at the same instant."""
    suspend(account.pk, reason_code="ManualReview", message="under review", actor=PLATFORM)
    cause, now = Suspension.objects.filter(account=account).latest("pk").uid, timezone.now()
    Notice.objects.bulk_create(
        Notice(
            about=Notice.About.SUSPENDED,
            account=account,
            cause_uid=cause,
            subject_uid=account.uid,
            recipient=f"contact-{number}@acme-corp.example",
            phase=Notice.Phase.DELIVERED,
            delivered_at=now,
        )
        for number in range(count)
    )
