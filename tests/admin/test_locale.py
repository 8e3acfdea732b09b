"""Days, times and amounts of pages are in the format of the person's language; files stay in one format."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.models import Charge
from billing.services.charges import ChargeSpec, report_charge
from tests.admin.browser import list_of, page_of
from tests.admin.conftest import World
from tests.support import make

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


def test_files_and_inputs_are_the_same_in_every_language(charge: Charge, operator: Client) -> None:
    operator.cookies["django_language"] = "de"
    answer: Any = operator.post(list_of(Charge, "export"), {"resource": "0", "format": "0"})
    table = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert "2026-01-31" in table[1]
    assert Decimal("1234.5") in {Decimal(cell) for cell in table[1] if cell.startswith("1234.")}
    drift = operator.get(list_of(type(charge.account), "drift"), {"as_of": "2026-01-31"}).content.decode()
    assert 'value="2026-01-31"' in drift
    assert "31.01.2026" in drift
