"""Days, times and amounts of pages are in the format of the person's language; files stay in one format."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils.formats import date_format
from django.utils.translation import override

from billing.models import Charge, Notice
from billing.services.charges import ChargeSpec, report_charge
from billing.terms.payment_terms import EarlyPaymentDiscount, LatePaymentPenalty
from projects.models import Project
from tests.admin.browser import list_of, page_of, panels_of_request
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.usage import an_event, taken

pytestmark = pytest.mark.once  # worded in Python

AT = datetime(2026, 1, 15, 23, 30, tzinfo=UTC)
TIMES = {"en": "2026-01-15 23:30:00 UTC", "de": "15.01.2026 23:30:00 UTC"}
AMOUNTS = {"en": "1,234.50 EUR", "de": "1.234,50 EUR"}
DAYS = {"en": "2026-01-31", "de": "31.01.2026"}


@pytest.fixture
def charge(world: World) -> Charge:
    spec = ChargeSpec("inv-1", Decimal("1234.50"), "EUR", date(2026, 1, 31))
    return report_charge(world.organization.pk, world.eu.name, spec, actor=make.PLATFORM)


@pytest.mark.parametrize("language", ["en", "de"])
def test_pages_are_in_the_format_of_the_language(language: str, charge: Charge, operator: Client) -> None:
    operator.cookies["django_language"] = language
    type(charge.account).objects.filter(pk=charge.account_id).update(phase_since=AT)
    account = operator.get(page_of(charge.account)).content.decode()
    tab = operator.get(page_of(charge.account), {"tab": "charges"}).content.decode()
    for page in (account, tab, operator.get(list_of(Charge)).content.decode()):
        assert AMOUNTS[language] in page
        assert DAYS[language] in page
    assert TIMES[language] in account
    # in one format whatever the language
    assert (f'title="{TIMES["en"]}">{TIMES["de"]}</time>' in account) is (language == "de")


@pytest.mark.parametrize("language", ["en", "de"])
def test_terms_and_payment_methods_are_in_the_format_of_the_language(
    language: str, world: World, operator: Client
) -> None:
    operator.cookies["django_language"] = language
    terms = replace(
        make.TERMS,
        early_payment_discount=EarlyPaymentDiscount(Decimal("2.5"), 10),
        late_payment_penalty=LatePaymentPenalty(Decimal("9.12"), 5),
    )
    sepa = {"mandateReference": "M-1", "mandateSignedDate": "2026-01-31", "ibanToken": "ba-1"}
    spec: dict[str, Any] = {"currency_code": "EUR", "payment_terms": terms, "payment_profile": {"sepaDebitCore": sepa}}
    page = operator.get(page_of(make.a_ready_account(world.organization, **spec))).content.decode()
    for percent in ("2.5", "9.12"):
        assert f"{percent if language == 'en' else percent.replace('.', ',')}%" in page
    assert f": {DAYS[language]}<" in page


NUMBERS = {"en": "1,234.5", "de": "1.234,5"}
MONTHS = {"en": "Y-m", "de": "F Y"}


@pytest.mark.parametrize("language", ["en", "de"])
def test_quantities_counts_and_months_are_in_the_format_of_the_language(
    language: str, world: World, operator: Client
) -> None:
    operator.cookies["django_language"] = language
    taken(an_event(world.project, "1234.5"))
    assert NUMBERS[language] in cells(operator.get(page_of(world.eu), {"tab": "usage"}))
    past = world.project.created_at - timedelta(days=40)
    taken(an_event(world.project, "1234.5", time=past))
    assert NUMBERS[language] in cells(operator.get(list_of(Project, "unassigned-usage")))
    span = {"since": (past - timedelta(hours=1)).isoformat(), "until": (past + timedelta(hours=1)).isoformat()}
    request = make.a_request(world.eu, "AssignUsage", proposal={"project": world.project.name, **span})
    assert f"{NUMBERS[language]} s" in [cell for panel in panels_of_request(operator, request) for cell in flat(panel)]
    make.in_phase(world.us, "Suspended")
    Notice.objects.update(attempts=1234)
    notice = Notice.objects.earliest("pk")
    for page in (page_of(notice), list_of(Notice)):
        assert NUMBERS[language].removesuffix(".5").removesuffix(",5") in operator.get(page).content.decode()


@pytest.mark.parametrize("language", ["en", "de"])
def test_months_are_in_the_format_of_the_language(language: str, world: World, operator: Client) -> None:
    operator.cookies["django_language"] = language
    plan = an_affiliation(world.us, make.a_ready_account(world.organization), payer="Self", after=1)
    with override(language):
        month = date_format(plan.effective_from, MONTHS[language])
    for page in (list_of(type(plan)), page_of(plan), f"{page_of(world.us)}?tab=hierarchy", page_of(plan, "cancel")):
        assert month in operator.get(page).content.decode(), page
    answer: Any = operator.post(list_of(type(plan), "export"), {"format": "0"})
    assert f"{plan.effective_from:%Y-%m}".encode() in b"".join(answer.streaming_content)


def flat(panel: Any) -> list[str]:
    return [str(cell) for row in panel.rows for cell in row]


def cells(page: Any) -> list[str]:
    """What the tables of a page show."""
    return [cell for panel in page.context["panels"] for cell in flat(panel)]


def test_files_and_inputs_are_the_same_in_every_language(charge: Charge, operator: Client) -> None:
    operator.cookies["django_language"] = "de"
    answer: Any = operator.post(list_of(Charge, "export"), {"resource": "0", "format": "0"})
    table = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert "2026-01-31" in table[1]
    assert Decimal("1234.5") in {Decimal(cell) for cell in table[1] if cell.startswith("1234.")}
    drift = operator.get(list_of(type(charge.account), "drift"), {"as_of": "2026-01-31"}).content.decode()
    assert 'value="2026-01-31"' in drift
    assert "31.01.2026" in drift
