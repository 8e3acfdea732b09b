"""Revising a billing account on its page."""

import pytest
from django.test import Client

from billing.services.accounts import AccountSpec, revise
from milo.kube.metadata import Metadata
from tests.admin.browser import buttons, errors, filled_in, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes

pytestmark = pytest.mark.once
WHY = "as agreed on the phone"


def test_sending_the_form_as_it_is_shown_changes_nothing(world: World, operator: Client) -> None:
    with nothing_changes():
        assert submit(operator, page_of(world.us, "revise"), why=WHY).status_code == 302


def test_terms_and_contacts_are_revised_and_labels_kept(world: World, operator: Client) -> None:
    labels = Metadata(labels={"region": "us"})
    revise(world.us.pk, AccountSpec.of(world.us), labels, actor=make.PLATFORM)
    submit(
        operator,
        page_of(world.us, "revise"),
        why=WHY,
        net_days="60",
        invoice_email_addresses="ap@acme-corp.example\nbilling@acme-corp.example",
    )
    world.us.refresh_from_db()
    assert world.us.net_days == 60
    assert world.us.invoice_email_addresses == ["ap@acme-corp.example", "billing@acme-corp.example"]
    assert world.us.payment_profile == make.CARD
    assert world.us.labels == {"region": "us"}
    assert "user:operator" in authors(world.us)


def test_the_preview_shows_the_changed_lines_alone_and_the_reason_stays_in_the_history(
    world: World, operator: Client
) -> None:
    address = page_of(world.us, "revise")
    answers = filled_in(operator.get(address), net_days="60", invoice_frequency="Quarterly", anchor_month="2")
    with nothing_changes():
        assert list(errors(operator.post(address, answers))) == ["why"]
        preview = operator.post(address, {**answers, "why": WHY})
    assert [(str(name), str(value)) for name, value in preview.context["preview"]] == [
        ("Net days", "30 → 60"),
        ("Invoice frequency", "Monthly → Quarterly"),
        ("Anchor month", "- → 2"),
        ("Reason", WHY),
    ]
    assert operator.post(address, {**filled_in(preview), "confirm": "1"}).status_code == 302
    assert world.us.history.latest().history_summary == f"BillingAccountRevised: {WHY}"
    assert WHY in operator.get(page_of(world.us, "timeline")).content.decode()


def test_the_preview_says_that_nothing_changes_or_that_the_phase_does(world: World, operator: Client) -> None:
    unchanged = operator.post(address := page_of(world.us, "revise"), filled_in(operator.get(address), why=WHY))
    assert [str(name) for name, _value in unchanged.context["preview"]] == ["What changes"]
    address = page_of(make.an_incomplete_account(world.organization), "revise")
    terms = {
        "net_days": "30",
        "invoice_frequency": "Monthly",
        "invoice_day_of_month": "1",
        "payment_method": "creditCard",
    }
    terms["card_reference"] = "cc-1"
    completed = operator.post(address, filled_in(operator.get(address), why=WHY, **terms))
    assert ("Phase", "Incomplete → Ready") in completed.context["preview"]


def test_completing_an_incomplete_account_makes_it_ready(world: World, operator: Client) -> None:
    account = make.an_incomplete_account(world.organization)
    submit(
        operator,
        page_of(account, "revise"),
        why=WHY,
        net_days="30",
        invoice_frequency="Monthly",
        invoice_day_of_month="1",
        payment_method="creditCard",
        card_reference="cc-1",
    )
    account.refresh_from_db()
    assert account.phase == "Ready"


def test_the_currency_of_an_account_that_was_ready_cannot_be_chosen(world: World, operator: Client) -> None:
    address = page_of(world.us, "revise")
    assert operator.get(address).context["form"].fields["currency_code"].disabled
    with nothing_changes():
        submit(operator, address, currency_code="EUR", why=WHY)


@pytest.mark.parametrize(
    ("field", "value"), [("card_reference", ""), ("net_days", ""), ("net_days", "1000"), ("display_name", "x" * 201)]
)
def test_what_would_leave_a_ready_account_invalid_is_refused_at_its_field(
    field: str, value: str, world: World, operator: Client
) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.us, "revise"), why=WHY, **{field: value})
    assert field in errors(page)


def test_what_changed_since_the_form_was_opened_is_not_overwritten(world: World, operator: Client) -> None:
    address = page_of(world.us, "revise")
    answers = filled_in(operator.get(address), display_name="mine", why=WHY)
    submit(operator, address, display_name="theirs", why=WHY)
    with nothing_changes():
        page = operator.post(address, answers)
    assert "has been modified" in errors(page)["__all__"][0]


def test_a_closed_account_offers_no_revision_and_refuses_it(world: World, operator: Client) -> None:
    account = make.in_phase(make.a_ready_account(world.organization), "Closed")
    assert page_of(account, "revise") not in buttons(operator.get(page_of(account)))
    with nothing_changes():
        page = submit(operator, page_of(account, "revise"), net_days="60", why=WHY)
    assert "is closed and cannot be changed" in errors(page)["__all__"][0]
