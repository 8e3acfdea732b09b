"""Readings as a Table, as CSV and as JSON: the same rows."""

import csv
from typing import Any

import pytest

from milo.kube import subresource_tables
from milo.kube.kinds import Kind, ReadSubresource, all_kinds
from projects.models import Organization
from tests.api.client import ACCOUNTS, BILLING, ORGANIZATIONS, PROJECTS, Api
from tests.support import make
from tests.support.payer_changes import a_payer_change

pytestmark = pytest.mark.once

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
READINGS = [(kind, reading) for kind in all_kinds() for reading in kind.read_subresources]


@pytest.fixture
def ledger(organization: Organization) -> None:
    project = make.a_project(organization, "web")
    make.a_binding(project, make.a_ready_account(organization, "us", display_name="US"), "web-to-us")
    a_payer_change(make.a_ready_account(organization, "eu"), project, name="plan")


def cells(api: Api, path: str) -> list[list[Any]]:
    """The titles of a Table and its rows."""
    answer = api.get(path, accept=TABLE)
    assert answer.headers["Content-Type"] == TABLE
    table = answer.done()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    titles = [column["name"] for column in table["columnDefinitions"]]
    assert all(len(row["cells"]) == len(titles) for row in table["rows"])
    return [titles, *(row["cells"] for row in table["rows"])]


@pytest.mark.parametrize(("kind", "reading"), READINGS, ids=lambda it: getattr(it, "name", ""))
def test_every_reading_has_rows_of_scalars_of_its_example(kind: Kind, reading: ReadSubresource, db: None) -> None:
    example = dict(reading.example)
    table = subresource_tables.table(reading, example, "v1")
    titles = [column["name"] for column in table["columnDefinitions"]]
    assert len(set(titles)) == len(titles) > 1
    hindered = [*example.get("locked", []), *example.get("refused", [])]
    assert len(table["rows"]) == len(example.get("items", example.get("blockers", hindered or [1]))) > 0
    for row in table["rows"]:
        assert len(row["cells"]) == len(titles)
        for cell, column in zip(row["cells"], table["columnDefinitions"], strict=True):
            assert isinstance(cell, {"string": str | int, "integer": int, "boolean": bool}[column["type"]])


ADDRESSES = {
    "paymentschedule": f"{ACCOUNTS}/us/paymentschedule?after=2026-01-31&count=2",
    **{name: f"{PROJECTS}/web/{name}" for name in ("billinghistory", "plannedpayer")},
    **{name: f"{BILLING}/namespaces/acme-corp/payerchanges/plan/{name}" for name in ("items", "preview")},
    **{name: f"{ORGANIZATIONS}/acme-corp/{name}" for name in ("unassignedusage", "members", "rolehistory")},
    **{
        name: f"{ACCOUNTS}/us/{name}"
        for name in (
            *("closurechecklist", "suspensions", "holds", "usage", "asof", "projects", "history"),
            *("hierarchy", "payerofrecord"),
        )
    },
}


def test_every_reading_is_asked_for_below() -> None:
    assert ADDRESSES.keys() == {reading.name for _kind, reading in READINGS}


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_reading_is_a_table_and_a_file_where_asked(operator: Api, ledger: None, name: str) -> None:
    path = ADDRESSES[name]
    titles, *rows = cells(operator, path)
    file = operator.get(path, accept="text/csv")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.reader(file.raw.decode().splitlines()))
    assert (len(lines[0]), len(lines) - 1) == (len(titles), len(rows))
    plain = operator.get(path).done()
    assert "columnDefinitions" not in plain
    if "items" in plain:
        assert len(rows) == len(plain["items"])


def test_the_columns_are_what_people_look_for(operator: Api, ledger: None) -> None:
    titles, row = cells(operator, ADDRESSES["billinghistory"])
    assert dict(zip(titles, row, strict=True)) | {"Established At": ""} == {
        "Binding": "web-to-us", "Account": "us", "Phase": "Active", "Established At": "", "Ended At": "",
        "End Reason": "", "Superseded By": "", "Corrections": "", "Corrected By": "", "Payer Of Record": "",
        "Payers Of Record": "",
    }  # fmt: skip
    titles, row = cells(operator, ADDRESSES["asof"])
    assert dict(zip(titles, row, strict=True)) | {"At": ""} == {
        "Name": "us", "At": "", "Display Name": "US", "Phase": "Ready", "Currency": "USD", "Projects": 1,
        "Terms": "Net30 Monthly",
    }  # fmt: skip
    assert [row[:2] for row in cells(operator, ADDRESSES["closurechecklist"])] == [
        ["Type", "Name"], ["BillingAccountBinding", "web-to-us"],
    ]  # fmt: skip


def test_a_foreign_reading_is_missing_as_a_table_too(stranger: Api, ledger: None) -> None:
    stranger.get(ADDRESSES["history"], accept=TABLE).refused(404, "NotFound")
