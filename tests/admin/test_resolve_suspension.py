"""Resolving a suspension: the form asks for what its reason code asks for."""

import pytest
from django.test import Client

from billing.models import Suspension
from billing.services.suspensions import suspend
from tests.admin.browser import buttons, errors, filled_in, page_of, submit, text_of
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once


@pytest.fixture
def suspensions(world: World) -> list[Suspension]:
    """Two open reasons of one account, oldest first."""
    for code in ("Chargeback", "CourtOrder"):
        suspend(world.eu.pk, reason_code=code, message="see below", actor=make.PLATFORM)
    return list(Suspension.objects.order_by("pk"))


def labels(page: object) -> list[str]:
    return [str(field.label) for field in page.context["form"]]  # type: ignore[attr-defined]


def test_the_form_asks_for_the_evidence_of_the_one_chosen(
    suspensions: list[Suspension], world: World, operator: Client
) -> None:
    address = page_of(world.eu, "resolve-suspension")
    page = operator.get(address)
    assert labels(page) == ["Open suspension", "Case reference", "Repayment reference"]
    assert [str(uid) for uid, _label in page.context["form"].fields["suspension"].choices] == [
        str(suspension.uid) for suspension in suspensions
    ]
    page = operator.get(address, {"suspension": str(suspensions[1].uid)})
    assert labels(page) == ["Open suspension", "Document reference", "Date it was lifted"]


def test_the_page_of_the_account_leads_to_each_open_one(
    suspensions: list[Suspension], world: World, operator: Client
) -> None:
    page = text_of(operator, world.eu)
    for suspension in suspensions:
        assert f"{page_of(world.eu, 'resolve-suspension')}?suspension={suspension.uid}" in page


def test_choosing_another_asks_for_its_evidence_and_changes_nothing(
    suspensions: list[Suspension], world: World, operator: Client
) -> None:
    with nothing_changes():
        page = submit(
            operator,
            page_of(world.eu, "resolve-suspension"),
            suspension=str(suspensions[1].uid),
            caseReference="cb-1",
            repaymentReference="r-1",
        )
    assert set(errors(page)) == {"documentReference", "dateLifted"}


def test_with_its_evidence_it_is_resolved_and_the_account_stays_suspended(
    suspensions: list[Suspension], world: World, operator: Client
) -> None:
    address = page_of(world.eu, "resolve-suspension")
    order = suspensions[1]
    page = operator.get(address, {"suspension": str(order.uid)})
    answers = filled_in(page, documentReference="case 12", dateLifted="2026-03-31")
    assert operator.post(address, answers).headers["Location"] == page_of(world.eu)
    order.refresh_from_db()
    assert order.evidence == {"documentReference": "case 12", "dateLifted": "2026-03-31"}
    assert order.resolved_by == "user:operator"
    world.eu.refresh_from_db()
    assert world.eu.phase == "Suspended"


def test_a_condition_that_does_not_hold_is_refused_at_its_field(world: World, operator: Client) -> None:
    suspend(world.eu.pk, reason_code="PaymentMethodInvalid", message="declined", actor=make.PLATFORM)
    with nothing_changes():
        page = submit(operator, page_of(world.eu, "resolve-suspension"), methodReference="another")
    assert "is not the account's payment reference" in errors(page)["methodReference"][0]


def test_an_account_without_open_suspensions_offers_no_button(world: World, operator: Client) -> None:
    address = page_of(world.eu, "resolve-suspension")
    assert address not in buttons(operator.get(page_of(world.eu)))
    with nothing_changes():
        page = operator.post(address, {"suspension": "x", "note": "y"})
    assert list(errors(page)) == ["suspension"]


def test_the_suspension_of_another_account_is_no_choice(
    suspensions: list[Suspension], world: World, operator: Client
) -> None:
    make.in_phase(world.us, "Suspended")
    with nothing_changes():
        page = submit(
            operator, page_of(world.us, "resolve-suspension"), suspension=str(suspensions[0].uid), caseReference="cb"
        )
    assert "suspension" in errors(page)
