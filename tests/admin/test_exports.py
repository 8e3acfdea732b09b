"""Lists as CSV and XLSX: what is filtered, harmless in a spreadsheet, and recorded."""

import asyncio
import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from billing.models import BillingAccount, Charge, Notice
from billing.services.charges import ChargeSpec, report_charge
from billing.services.payer_locks import lock_payer
from milo.admin import exports
from milo.admin.messages import why
from milo.identity.models import LogIn
from projects.models import Project
from tests.admin.browser import browser, list_of, page_of, staff
from tests.admin.conftest import Life, World
from tests.support import make

CSV, XLSX = "0", "1"


def exported(client: Client, address: str, file_format: str = CSV) -> Any:
    assert client.get(address).status_code == 200
    return client.post(address, {"resource": "0", "format": file_format})


def rows_of(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


def sheet_of(answer: Any) -> list[tuple[Any, ...]]:
    book = load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    return list(book.active.iter_rows(values_only=True))


@pytest.fixture
def charges(world: World) -> list[Charge]:
    return [
        report_charge(
            world.organization.pk,
            world.eu.name,
            ChargeSpec(number, Decimal(amount), "EUR", due, description=text),
            actor=make.PLATFORM,
        )
        for number, amount, due, text in (
            ("inv-1", "12.50", date(2026, 1, 31), "=HYPERLINK(1)"),
            ("inv-3", "8", date(2036, 1, 31), "x;=cmd|' /C calc'!A0"),
            ("inv-2", "7", date(2036, 1, 31), "Bücher; more"),
        )
    ]


def test_a_list_is_exported_as_it_is_filtered(charges: list[Charge], operator: Client) -> None:
    address = f"{list_of(Charge, 'export')}?due=overdue"
    head, *rows = rows_of(exported(operator, address))
    assert head[:4] == ["External id", "Name", "Organization", "Billing account"]
    assert [row[0] for row in rows] == ["inv-1"]
    assert rows[0][2:9] == ["acme-corp", "acme-eu", "12.5000", "EUR", "2026-01-31", "'=HYPERLINK(1)", ""]
    head, *rows = rows_of(exported(operator, list_of(Charge, "export")))
    assert {row[0] for row in rows} == {"inv-1", "inv-2", "inv-3"}
    (found,) = rows_of(exported(operator, f"{list_of(Charge, 'export')}?q=inv-2"))[1:]
    assert found[7] == "Bücher; more"


def test_a_sheet_has_numbers_and_days_and_no_formula(charges: list[Charge], operator: Client) -> None:
    head, *rows = sheet_of(exported(operator, f"{list_of(Charge, 'export')}?due=overdue", XLSX))
    assert head[0] == "External id"
    ((_id, _name, _organization, _account, amount, _currency, due, text, *_rest),) = rows
    assert (amount, due.date(), text) == (12.5, date(2026, 1, 31), "'=HYPERLINK(1)")


def test_a_sheet_holds_no_formula_whatever_a_customer_called_things(charges: list[Charge], operator: Client) -> None:
    _head, *rows = sheet_of(exported(operator, list_of(Charge, "export"), XLSX))
    assert {row[7] for row in rows} == {"'=HYPERLINK(1)", "x;'=cmd|' /C calc'!A0", "Bücher; more"}


def test_cells_are_words_and_no_markup(world: World, operator: Client) -> None:
    head, row = rows_of(exported(operator, f"{list_of(Project, 'export')}"))
    assert dict(zip(head, row, strict=True))["Who pays"] == "acme-eu"
    assert dict(zip(head, row, strict=True))["Phase"] == "Active"


def test_what_is_empty_on_a_page_is_an_empty_cell(life: Life, operator: Client, auditor: Client) -> None:
    lock_payer(Project.objects.get(name="data-mart").pk, reason="contract", actor=make.PLATFORM)
    for model in (Notice, Project, Charge, LogIn):
        for row in rows_of(exported(auditor, list_of(model, "export"))):
            assert not [cell for cell in row if cell in ("-", "'-") or "\n" in cell], model
    assert None in {cell for row in sheet_of(exported(operator, list_of(Notice, "export"), XLSX)) for cell in row}
    head, *rows = rows_of(exported(operator, list_of(Project, "export")))
    payers = {row[0]: (row[head.index("Who pays")], row[head.index("Payer lock")]) for row in rows}
    assert payers["data-mart"] == ("acme-eu", "Locked")
    assert payers["webapp-frontend"] == ("acme-eu", "")


def test_an_export_is_recorded_with_person_list_and_filter(
    charges: list[Charge], operator: Client, auditor: Client
) -> None:
    exported(operator, f"{list_of(Charge, 'export')}?q=4111+1111+1111+1111&due=overdue", XLSX)
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr, entry.action_flag) == ("operator", "charges", exports.EXPORTED)
    assert entry.change_message.startswith("ListExported: xlsx, 0 rows, filtered by q=")
    assert entry.change_message.endswith("&due=overdue")
    assert "4111" not in entry.change_message
    page = auditor.get("/admin/identity/login/exports/").content.decode()
    assert why("ListExported: xlsx") in page


def test_only_who_may_see_a_list_exports_it(charges: list[Charge]) -> None:
    reporter = staff("usage-reporter")
    nobody = browser(make.a_person(is_staff=True))
    for client in (reporter, nobody, Client()):
        answer = client.post(list_of(Charge, "export"), {"resource": "0", "format": CSV})
        assert answer.status_code in (302, 403)
    assert not LogEntry.objects.exists()
    assert staff("auditor").delete(list_of(Charge, "export")).status_code == 405


def test_a_file_is_refused_where_a_sheet_has_no_room(
    charges: list[Charge], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST_ROWS", 1)
    answer = operator.post(list_of(Charge, "export"), {"resource": "0", "format": CSV}, follow=True)
    assert "at most 1 rows" in answer.content.decode()
    assert not LogEntry.objects.exists()


def test_a_filter_that_does_not_exist_leads_back(charges: list[Charge], operator: Client) -> None:
    answer = operator.get(f"{list_of(Charge, 'export')}?organization__id__exact=x")
    assert answer.status_code == 302


def test_the_button_keeps_the_filter(charges: list[Charge], operator: Client) -> None:
    page = operator.get(f"{list_of(Charge)}?due=overdue")
    assert f"{list_of(Charge, 'export')}?due=overdue" in [item["path"] for item in page.context["actions_list"]]


@pytest.mark.parametrize("model", [Project, BillingAccount, Notice, Charge])
def test_an_export_takes_as_many_queries_for_six_rows_as_for_two(model: Any, world: World, operator: Client) -> None:
    # the content type of a model is asked for once in a process
    exported(operator, list_of(model, "export"))
    counts = []
    for wanted in (2, 6):
        while model.objects.count() < wanted:
            account = make.a_ready_account(world.organization)
            make.a_binding(make.a_project(world.organization, contact_email_addresses=["a@example.org"]), account)
            charge = ChargeSpec("inv-1", Decimal(1), "USD", date(2026, 1, 31))
            report_charge(world.organization.pk, account.name, charge, actor=make.PLATFORM)
            make.in_phase(account, "Suspended")
        operator.get(list_of(model, "export"))
        with CaptureQueriesContext(connection) as queries:
            rows = rows_of(operator.post(list_of(model, "export"), {"resource": "0", "format": CSV}))
        assert len(rows) > wanted
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


def test_under_asgi_the_file_is_sent_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_CHUNK", 2)

    async def chunks() -> list[bytes]:
        return [chunk async for chunk in exports._in_chunks_async(io.BytesIO(b"abc"))]

    assert asyncio.run(chunks()) == [b"ab", b"c"]


def test_every_file_of_a_page_is_recorded_with_its_name_and_filter(world: World, operator: Client) -> None:
    files = {
        f"{page_of(world.us).removesuffix('/change/')}/usage.csv?month=2026-01": "acme-us-usage-2026-01",
        f"{page_of(world.us).removesuffix('/change/')}/focus.csv?month=2026-01": "acme-us-2026-01.csv",
        f"{page_of(world.project).removesuffix('/change/')}/usage.csv": "webapp-frontend-usage",
        f"{page_of(world.us, 'timeline')}?csv=1&person=operator": "acme-us-history",
        f"{page_of(world.us, 'hierarchy')}?csv=1": "acme-us-hierarchy",
        f"{list_of(Project, 'unassigned-usage')}?csv=1": "unassigned-usage",
    }
    for address, name in files.items():
        assert operator.get(address).headers["Content-Type"].startswith("text/csv"), address
        entry = LogEntry.objects.latest("pk")
        assert (entry.user.username, entry.action_flag, entry.object_repr) == ("operator", exports.EXPORTED, name)
        query = address.partition("?")[2]
        assert query.split("&")[-1] in entry.change_message if query else "not filtered" in entry.change_message
    assert LogEntry.objects.count() == len(files)
    broken = f"{page_of(world.us).removesuffix('/change/')}/usage.csv?month=zz"
    assert operator.get(broken).status_code == 404
