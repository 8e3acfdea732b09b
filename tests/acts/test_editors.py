"""Who changed what an approval rests on: everybody since the last approval, and nobody who did not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import ApprovalRequest, BillingAccount, Suspension
from billing.models.edits import REVIEWED
from billing.services.accounts import AccountSpec, open_account, revise, validate_waiting
from billing.services.approvals import decisions, requests, reviews
from billing.services.suspensions import resolve, suspend
from milo.access import Actor
from milo.errors import Forbidden, Refused
from milo.kube.metadata import Metadata
from tests.support import make
from tests.support.ledger import refused
from tests.support.make import approve

pytestmark = pytest.mark.django_db
BOTH = frozenset({"finance-operator", "finance-approver"})
ONE, TWO, THREE = (Actor(f"user:{name}", BOTH) for name in ("one", "two", "three"))
PEOPLE = (ONE, TWO, THREE)
CHANGED = "you changed the account since its last approval"
Action = Callable[[BillingAccount, Actor], object]


def rename(account: BillingAccount, actor: Actor) -> None:
    current = BillingAccount.objects.get(pk=account.pk)
    spec = replace(AccountSpec.of(current), display_name=f"{current.display_name}x")
    revise(account.pk, spec, actor=actor)


def label(account: BillingAccount, actor: Actor) -> None:
    current = BillingAccount.objects.get(pk=account.pk)
    labels = {"count": str(len(current.history.all()))}
    revise(account.pk, AccountSpec.of(current), Metadata(labels, {"note": "x"}), actor=actor)


def sweep(account: BillingAccount, actor: Actor) -> None:
    BillingAccount.objects.filter(pk=account.pk).update(compliance_reason="", compliance_since=None)
    validate_waiting()


def suspended(account: BillingAccount, actor: Actor) -> None:
    suspend(account.pk, reason_code="ManualReview", message="look", actor=actor)


def resolved(account: BillingAccount, actor: Actor) -> None:
    for opened in Suspension.objects.open().filter(account=account):
        resolve(account.pk, opened.uid, evidence={"reviewer": "the desk", "note": "well"}, actor=actor)


def refuse_one(account: BillingAccount, actor: Actor) -> None:
    request = make.a_request(account, actor=ONE)
    decisions.reject(request.pk, comment="no", actor=make.APPROVER)


def approve_one(account: BillingAccount, actor: Actor) -> None:
    request = make.a_request(account, actor=make.REQUESTER)
    try:
        approve(request.pk, actor=actor)
    except Refused:
        requests.withdraw(request.pk, comment="not now", actor=make.REQUESTER)


ACTS: tuple[Action, ...] = (rename, label, sweep, suspended, resolved, refuse_one, approve_one)


@pytest.mark.parametrize("after", [label, sweep, suspended, refuse_one])
def test_nothing_that_others_do_afterwards_makes_an_editor_none(account: BillingAccount, after: Action) -> None:
    rename(account, ONE)
    after(account, TWO)
    request = make.a_request(account, "Close")
    with refused(Forbidden, CHANGED):
        approve(request.pk, actor=ONE)


def test_everybody_who_changed_it_is_an_editor(account: BillingAccount) -> None:
    for person in (ONE, TWO):
        rename(account, person)
    request = make.a_request(account)
    assert reviews.editors(account) == {ONE.name, TWO.name}
    for person in (ONE, TWO):
        with refused(Forbidden, CHANGED):
            approve(request.pk, actor=person)
    assert approve(request.pk, actor=THREE).editors == "\nuser:one\n\nuser:two\n"


def test_a_label_makes_nobody_an_editor(account: BillingAccount) -> None:
    label(account, ONE)
    assert reviews.editors(account) == set()
    assert approve(make.a_request(account).pk, actor=ONE).phase == "Approved"


def test_an_approval_confirms_what_was_there_before_it(account: BillingAccount) -> None:
    rename(account, ONE)
    approve(make.a_request(account).pk, actor=TWO)
    # what took effect by it is the approver's change
    assert reviews.editors(account) == {TWO.name}
    assert approve(make.a_request(account, "Close").pk, actor=ONE).phase == "Approved"


def test_whoever_opened_the_account_is_an_editor() -> None:
    organization = make.an_organization()
    owner = Actor("user:owner", BOTH, {organization.pk: frozenset({"billing-admin"})})
    account = open_account(organization.pk, "us", AccountSpec("", "USD", make.TERMS, make.CARD), actor=owner)
    request = make.a_request(account)
    with refused(Forbidden, CHANGED):
        approve(request.pk, actor=owner)


@given(steps=st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE)), max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_inbox_and_the_service_agree_on_who_may_approve(steps: list[tuple[Action, Actor]]) -> None:
    account = make.a_ready_account(make.an_organization())
    for act, person in steps:
        try:
            act(account, person)
        except Refused:
            continue
    try:
        request = make.a_request(account, actor=make.REQUESTER)
    except Refused:
        return
    for person in PEOPLE:
        offered = request in ApprovalRequest.objects.awaiting(person.name)
        assert offered == (person.name not in reviews.editors(BillingAccount.objects.get(pk=account.pk)))


OTHER_VALUES: dict[Any, Any] = {
    models.BooleanField: True,
    models.PositiveSmallIntegerField: 7,
    models.PositiveIntegerField: 7,
    models.BigIntegerField: 7,
    models.DateField: date(2030, 1, 1),
    models.DecimalField: Decimal("3.5"),
    models.JSONField: None,
}
SPECIAL: dict[str, Any] = {
    "tax_registrations": [{"country": "DE", "number": "DE136695976"}],
    "e_invoicing": {"standard": "XRechnung"},
    "payment_profile": {"creditCard": {"cardReference": "cc-other"}},
    "invoice_email_addresses": ["other@example.org"],
}


def other_than(column: "models.Field[Any, Any]", value: Any) -> Any:
    if column.name in SPECIAL:
        return SPECIAL[column.name]
    kind = next((kind for kind in OTHER_VALUES if isinstance(column, kind)), None)
    return OTHER_VALUES[kind] if kind else f"{value}x"


@pytest.mark.parametrize("column", [field.name for field in BillingAccount._meta.concrete_fields])
def test_the_columns_compared_are_those_that_a_review_reads(account: BillingAccount, column: str) -> None:
    # half a discount is none
    account.discount_percent, account.discount_days = Decimal(2), 10
    account.penalty_percent, account.penalty_grace_days = Decimal(8), 5
    before = reviews.reviewed(account)
    field: Any = BillingAccount._meta.get_field(column)
    account.__dict__[field.attname] = other_than(field, getattr(account, field.attname))
    if column in ("id", "uid"):
        return
    assert (reviews.reviewed(account) != before) == (column in REVIEWED[BillingAccount]), column
