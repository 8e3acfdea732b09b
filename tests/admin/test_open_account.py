"""Opening a billing account on the staff site."""

from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape
from django.utils.translation import override
from unfold.widgets import UnfoldAdminSelect2Widget

from billing import currencies
from billing.admin.localized_names import country_choices, currency_choices
from billing.admin.payment_labels import FIELD_LABELS, METHOD_LABELS
from billing.admin.profile_form import DETAILS
from billing.admin.registration_rows import RegistrationRows
from billing.compliance.dataset import data
from billing.compliance.jurisdictions import COUNTRIES
from billing.models import BillingAccount
from billing.payment_profile.profiles import FIELDS, methods
from tests.admin.browser import buttons, errors, list_of, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes, steps

pytestmark = pytest.mark.once

OPEN = "/admin/billing/billingaccount/open-account/"
DRIFT = list_of(BillingAccount, "drift")
COMPLETE = {
    "name": "acme-lab",
    "display_name": "Laboratory",
    "currency_code": "CHF",
    "net_days": "0",
    "invoice_frequency": "Quarterly",
    "invoice_day_of_month": "15",
    "payment_method": "creditCard",
    "card_reference": "cc-777",
    "invoice_email_addresses": "ap@acme-corp.example",
}


def test_a_complete_account_is_opened_and_ready(world: World, operator: Client) -> None:
    answer = submit(operator, OPEN, organization=world.organization.pk, **COMPLETE)
    account = BillingAccount.objects.get(name="acme-lab")
    assert answer.headers["Location"] == page_of(account)
    assert account.organization == world.organization
    assert (account.display_name, account.currency_code) == ("Laboratory", "CHF")
    assert (account.net_days, account.invoice_frequency, account.invoice_day_of_month) == (0, "Quarterly", 15)
    assert account.payment_profile == {"creditCard": {"cardReference": "cc-777"}}
    assert account.invoice_email_addresses == ["ap@acme-corp.example"]
    assert [phase for phase, _why in steps(account)] == ["Provisioning", "Ready"]
    assert "acme-lab is Ready" in operator.get(page_of(account)).content.decode()


def test_an_account_that_lacks_something_is_opened_incomplete_and_the_page_says_what(
    world: World, operator: Client
) -> None:
    submit(operator, OPEN, organization=world.organization.pk, name="acme-lab")
    account = BillingAccount.objects.get(name="acme-lab")
    assert account.phase == "Incomplete"
    assert account.payment_profile is None
    page = operator.get(page_of(account)).content.decode()
    assert "acme-lab is Incomplete" in page
    assert "Payment profile is required" in page


def test_on_the_page_of_an_organization_it_is_opened_there(world: World, operator: Client) -> None:
    other = make.an_organization()
    submit(operator, page_of(world.organization, "open-account"), organization=other.pk, **COMPLETE)
    assert BillingAccount.objects.get(name="acme-lab").organization == world.organization


def test_every_allowed_currency_can_be_chosen(world: World, operator: Client) -> None:
    choices = operator.get(OPEN).context["form"].fields["currency_code"].choices
    assert {code for code, _name in choices} == {"", *currencies.ALLOWED}


def test_each_reference_has_a_field_that_is_shown_and_sent_for_its_payment_methods_alone(operator: Client) -> None:
    page = operator.get(OPEN)
    form, text = page.context["form"], page.content.decode()
    assert set(FIELD_LABELS) == set(FIELDS) == set(DETAILS.values())
    assert set(METHOD_LABELS) == set(methods())
    assert 'x-model.fill="payment_method"' in text
    for field, name in DETAILS.items():
        shown = [member for member, method in methods().items() if name in method.fields]
        assert form.conditional_fields[field] == f"{shown}.includes(payment_method)"
        assert form[field].label == FIELD_LABELS[name]
    for bound in form:
        first = f"{bound.html_name}_0" if isinstance(bound.field.widget, RegistrationRows) else bound.html_name
        assert text.count(f'name="{first}"') == 1
        assert f'x-show="{escape(form.conditional_fields.get(bound.name, ""))}"' in text or bound.name not in DETAILS
    assert text.count("x-bind:disabled=") == len(DETAILS)


def test_countries_and_currencies_are_called_by_their_names_in_the_language_of_the_person(operator: Client) -> None:
    operator.cookies["django_language"] = "de"
    fields = operator.get(OPEN).context["form"].fields
    assert isinstance(fields["country"].widget, UnfoldAdminSelect2Widget)
    assert isinstance(fields["currency_code"].widget, UnfoldAdminSelect2Widget)
    residency = [code for code, _name in fields["data_residency"].choices]
    assert residency[:3] == ["", "EU", "UK"]
    assert set(residency) == {"", *data().regions, *COUNTRIES}
    assert len(residency) == len(set(residency))
    page = operator.get(OPEN).content.decode()
    assert '<option value="EU">Europäische Union (EU)</option>' in page
    assert '<option value="AT">Österreich (AT)</option>' in page
    assert '<option value="CHF">CHF - Schweizer Franken</option>' in page
    with override("de"):
        names = [name for _code, name in country_choices()]
    # sorted regardless of accents and case
    assert names.index("Afghanistan (AF)") < names.index("Ägypten (EG)") < names.index("Albanien (AL)")
    with override("en"):
        assert {code for code, _name in country_choices()} == COUNTRIES
        assert ("DE", "Germany (DE)") in country_choices()
        # younger than the names of Unicode in German
        assert ("XCG", "XCG - Caribbean guilder") in currency_choices()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency_code", "XAU"),
        ("net_days", "366"),
        ("invoice_frequency", "Daily"),
        ("invoice_day_of_month", "29"),
        ("card_reference", "4111111111111111"),
        ("invoice_email_addresses", "nobody"),
        ("name", "Not a label"),
        ("organization", "0"),
    ],
)
def test_a_fault_is_refused_at_its_field(field: str, value: str, world: World, operator: Client) -> None:
    answers: dict[str, Any] = {"organization": world.organization.pk, **COMPLETE, field: value}
    with nothing_changes():
        page = submit(operator, OPEN, **answers)
    assert field in errors(page)


def test_a_name_that_is_taken_is_refused(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, OPEN, organization=world.organization.pk, **COMPLETE | {"name": "acme-us"})
    assert errors(page)["__all__"] == ["billing account acme-us already exists"]


def test_the_list_offers_to_open_one_to_those_who_may(operator: Client, auditor: Client) -> None:
    export = list_of(BillingAccount, "export")
    assert buttons(operator.get(list_of(BillingAccount))) == {OPEN, DRIFT, export}
    assert buttons(auditor.get(list_of(BillingAccount))) == {DRIFT, export}
