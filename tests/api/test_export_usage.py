"""The FOCUS export: what a month's bill of an account holds; what comes once it is closed is a Correction elsewhere."""

import csv
import io
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from unittest import mock

import pytest
from django.utils import timezone
from pyarrow import decimal128, string, timestamp
from pyarrow.parquet import ParquetFile

from billing.services.closed_months import close_month
from billing.services.usage import exports
from billing.usage.focus import COLUMNS, Type
from billing.usage.focus_units import focus_unit
from projects.models import Organization
from tests.admin.browser import page_of, staff
from tests.api.client import ACCOUNTS, Api, streamed
from tests.support import make
from tests.support.usage import a_correction, an_event, taken

BEGINNING = datetime(2026, 5, 20, 12, tzinfo=UTC)


PARQUET = "application/vnd.apache.parquet"
# rule CostAndUsage-D-NNN-M of the requirements model 1.2.0.1
MANDATORY = """
    BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory
    ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName
    ListCost PricingQuantity PricingUnit ProviderName PublisherName ServiceCategory ServiceName
""".split()
RECOMMENDED = ["ChargeFrequency", "InvoiceId", "ServiceSubcategory"]
# where the provider measures usage, and has sub accounts; the types stand with them
CONDITIONAL = "BillingAccountType ConsumedQuantity ConsumedUnit SubAccountId SubAccountName SubAccountType".split()
COSTS = ["BilledCost", "ContractedCost", "EffectiveCost", "ListCost"]


def body(api: Api, query: str, content_type: str, accept: str = "*/*") -> bytes:
    response = api.get(f"{ACCOUNTS}/us/usage/focus?{query}", Accept=accept).response
    assert response.headers["Content-Type"] == content_type
    return streamed(response)


def export(api: Api, period: str) -> list[dict[str, str]]:
    text = body(api, f"period={period}", "text/csv; charset=utf-8").decode()
    assert text.splitlines()[0].split(",") == list(COLUMNS)
    return list(csv.DictReader(text.splitlines()))


def told(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    names = ("ChargePeriodStart", "ChargeClass", "ConsumedQuantity", "ConsumedUnit", "ServiceName", "SubAccountId")
    return [tuple(row[name] for name in names) for row in rows]


def test_a_closed_bill_stays_as_it_was_and_what_came_late_is_a_correction_of_the_next(
    organization: Organization, viewer: Api
) -> None:
    now = [BEGINNING]
    with mock.patch.object(timezone, "now", side_effect=lambda: now[0]):
        project, account = make.a_project(organization, "webapp"), make.a_ready_account(organization, "us")
        bound_at = make.a_binding(project, account).established_at
        taken(an_event(project, "2.50", time=bound_at))
        now[0] += timedelta(days=14)
        close_month(account.pk, BEGINNING.date(), reason="invoiced", actor=make.PLATFORM)
        reported = export(viewer, "2026-05")
        assert told(reported) == [("2026-05-20T00:00:00Z", "", "2.5", "Seconds", "compute", "webapp")]
        assert reported[0]["BillingPeriodStart"] == "2026-05-01T00:00:00Z"
        assert reported[0]["BillingPeriodEnd"] == "2026-06-01T00:00:00Z"
        assert (reported[0]["BillingAccountId"], reported[0]["BillingCurrency"]) == ("acme-corp/us", "USD")
        assert {reported[0][name] for name in COLUMNS if name.endswith("Cost")} == {""}
        taken(an_event(project, "4", time=bound_at), an_event(project, "1", time=now[0]))
        assert export(viewer, "2026-05") == reported
        assert sorted(told(export(viewer, "2026-06"))) == [
            ("2026-05-20T00:00:00Z", "Correction", "4", "Seconds", "compute", "webapp"),
            ("2026-06-03T00:00:00Z", "", "1", "Seconds", "compute", "webapp"),
        ]


def test_the_file_of_the_staff_site_is_that_of_the_api_byte_for_byte_and_masked_for_an_auditor(
    organization: Organization, viewer: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    account = make.a_ready_account(organization, "us", display_name="=Ops; books@acme-corp.example")
    project = make.a_project(organization, "webapp", display_name="Bücher")
    make.a_binding(project, account)
    taken(*(an_event(project, "1.50", data={"meter": f"meter-{n}"}) for n in range(5)))
    month = f"{timezone.now():%Y-%m}"
    address = f"{page_of(account).removesuffix('/change/')}/focus.csv?month={month}"
    file, masked = (b"".join(staff(role).get(address)) for role in ("finance-operator", "auditor"))
    assert file == body(viewer, f"period={month}", "text/csv; charset=utf-8")
    assert file.count(b"books@acme-corp.example") == 5
    assert masked == file.replace(b"books@acme-corp.example", "•••".encode())
    auditor = Api.of(make.a_person("reader", groups=("auditor",)))
    assert body(auditor, f"period={month}", "text/csv; charset=utf-8") == masked
    table = ParquetFile(io.BytesIO(body(auditor, f"period={month}&format=parquet", PARQUET))).read()
    assert set(table["BillingAccountName"].to_pylist()) == {"=Ops; •••"}


def test_an_export_of_many_pages_holds_every_row_once(
    organization: Organization, viewer: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 3)
    project, account = make.a_project(organization, "webapp"), make.a_ready_account(organization, "us")
    make.a_binding(project, account)
    taken(*(an_event(project, data={"meter": f"meter-{n}"}) for n in range(10)))
    rows = export(viewer, f"{timezone.now():%Y-%m}")
    assert sorted(row["ChargeDescription"] for row in rows) == [f"meter-{n}" for n in range(10)]


def test_a_period_is_a_month(viewer: Api, organization: Organization) -> None:
    make.a_ready_account(organization, "us")
    for query in ("", "?period=2026", "?period=2026-13", "?period=2026-10-01"):
        answer = viewer.get(f"{ACCOUNTS}/us/usage/focus{query}")
        answer.refused(422, "Invalid")
        assert set(answer.causes()) == {"query.period"}


def test_what_a_spreadsheet_would_take_for_a_formula_is_a_text(organization: Organization, viewer: Api) -> None:
    project, account = (
        make.a_project(organization, "webapp"),
        make.a_ready_account(organization, "us", display_name="=1+1"),
    )
    make.a_binding(project, account)
    taken(an_event(project, "2"), event := an_event(project, "3"))
    taken(a_correction(event, "-9.5"))
    (line,) = export(viewer, f"{timezone.now():%Y-%m}")
    assert (line["BillingAccountName"], line["ConsumedQuantity"]) == ("'=1+1", "-4.5")


@pytest.mark.parametrize("period", ["9999-12", "0001-01", "may"])
def test_a_month_that_is_none_is_refused(organization: Organization, viewer: Api, period: str) -> None:
    make.a_ready_account(organization, "us")
    viewer.get(f"{ACCOUNTS}/us/usage/focus?period={period}").refused(422, "Invalid")


@pytest.fixture
def billed(organization: Organization) -> str:
    """The month of usage of `us`: of two meters, and corrected after the month before was closed."""
    now = [BEGINNING]
    with mock.patch.object(timezone, "now", side_effect=lambda: now[0]):
        project, account = make.a_project(organization, "webapp"), make.a_ready_account(organization, "us")
        bound_at = make.a_binding(project, account).established_at
        taken(event := an_event(project, "2.5", time=bound_at))
        now[0] += timedelta(days=14)
        close_month(account.pk, BEGINNING.date(), reason="invoiced", actor=make.PLATFORM)
        taken(a_correction(event, "-1.25"), an_event(project, "3", time=now[0]))
        taken(an_event(project, "7", time=now[0], data={"meter": "requests", "unit": "{request}"}))
    return "2026-06"


def test_the_columns_are_those_of_focus_in_its_order(viewer: Api, billed: str) -> None:
    header = list(export(viewer, billed)[0])
    assert header == sorted([*MANDATORY, *RECOMMENDED, *CONDITIONAL])
    assert [name for name, column in COLUMNS.items() if column.level == "Mandatory"] == MANDATORY
    assert [name for name, column in COLUMNS.items() if column.level == "Recommended"] == RECOMMENDED


def test_every_cell_is_what_focus_allows_in_its_column_but_for_the_costs(viewer: Api, billed: str) -> None:
    forms = {
        Type.DATE_TIME: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        Type.DECIMAL: re.compile(r"-?\d+(\.\d+)?"),
        Type.STRING: re.compile(r".+"),
    }
    lines = export(viewer, billed)
    assert len(lines) == 3
    for line in lines:
        for name, column in COLUMNS.items():
            if line[name] == "":
                assert column.nullable or name in COSTS, name
            else:
                assert forms[column.type].fullmatch(line[name]), name
                assert not column.values or line[name] in column.values, name
        assert {line[name] for name in COSTS} == {""}
        constant = ("ChargeCategory", "ChargeFrequency", "ServiceCategory", "ServiceSubcategory", "SubAccountType")
        assert [line[name] for name in constant] == ["Usage", "Usage-Based", "Other", "Other (Other)", "Project"]
        # only a correction of an earlier period may be negative
        assert (Decimal(line["ConsumedQuantity"]) > 0) is (line["ChargeClass"] == "")
    assert {line["ChargeClass"] for line in lines} == {"", "Correction"}


def test_parquet_holds_the_same_in_types(viewer: Api, billed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    lines = export(viewer, billed)
    content = body(viewer, f"period={billed}", PARQUET, accept=f"{PARQUET}, text/csv;q=0.5")
    assert body(viewer, f"period={billed}&format=parquet", PARQUET, accept="application/json") == content
    file = ParquetFile(io.BytesIO(content))
    types = {
        Type.DATE_TIME: timestamp("ms", tz="UTC"),
        Type.DECIMAL: decimal128(38, 12),
        Type.STRING: string(),
    }
    assert {field.name: field.type for field in file.schema_arrow} == {
        name: types[column.type] for name, column in COLUMNS.items()
    }
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [2, 1]
    rows = file.read(use_threads=False).to_pylist()
    for row, line in zip(rows, lines, strict=True):
        assert row["ChargePeriodStart"] == datetime.fromisoformat(line["ChargePeriodStart"])
        assert row["ConsumedQuantity"] == Decimal(line["ConsumedQuantity"])
        assert [row[name] for name in COSTS] == [None] * 4
        strings = [name for name, column in COLUMNS.items() if column.type == Type.STRING]
        assert [row[name] or "" for name in strings] == [line[name] for name in strings]


def test_a_month_without_usage_is_a_file_without_rows(viewer: Api, billed: str) -> None:
    assert export(viewer, "2024-01") == []
    file = ParquetFile(io.BytesIO(body(viewer, "period=2024-01&format=parquet", PARQUET)))
    assert (file.metadata.num_rows, file.schema_arrow.names) == (0, list(COLUMNS))


def test_without_pyarrow_parquet_is_refused_and_csv_is_not(
    viewer: Api, billed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for query, accept in (("", PARQUET), ("&format=parquet", "*/*")):
        answer = viewer.get(f"{ACCOUNTS}/us/usage/focus?period={billed}{query}", Accept=accept)
        answer.refused(406, "NotAcceptable")
        assert "requirements/parquet.txt" in answer.json["message"]
    assert len(export(viewer, billed)) == 3


def test_a_form_that_is_none_is_refused(organization: Organization, viewer: Api) -> None:
    make.a_ready_account(organization, "us")
    answer = viewer.get(f"{ACCOUNTS}/us/usage/focus?period=2026-01&format=xlsx")
    answer.refused(422, "Invalid")
    assert set(answer.causes()) == {"query.format"}


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ("s", "Seconds"), ("h", "Hours"), ("By", "B"), ("kBy", "KB"), ("GiBy", "GiB"), ("Gbit", "Gb"), ("1", "Units"),
        ("{request}", "Requests"), ("{vCPU}", "VCPU"), ("GBy.h", "GB-Hours"), ("{core}.h", "Core-Hours"),
        ("GiBy.h/mo", "GiB-Hours/Month"), ("{request}/s", "Requests/Second"), ("By/s", "B/Second"),
        # FOCUS has no name for these
        ("m3", "m3"), ("kW.h", "kW.h"), ("wk", "wk"), ("By{sent}", "By{sent}"), ("/s", "/s"),
        ("10*6.{call}", "10*6.{call}"),
    ],
)  # fmt: skip
def test_units_are_written_as_focus_writes_them(code: str, unit: str) -> None:
    assert focus_unit(code) == unit
