"""The timeline of an account: everything that happened to it, in one list and as CSV."""

import csv
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client

from billing.admin import timeline
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.requests import withdraw
from billing.tasks import deliver_notices
from milo.admin.reasons import reason
from tests.admin.browser import page_of
from tests.admin.conftest import Life, World
from tests.support import make
from tests.support.ledger import nothing_changes


def texts(client: Client, address: str) -> list[list[str]]:
    (panel,) = client.get(address).context["panels"]
    return [[str(cell) for cell in row] for row in panel.rows]


def test_one_list_has_every_kind_of_event_and_what_it_changed(world: World, life: Life, auditor: Client) -> None:
    deliver_notices()
    rows = texts(auditor, page_of(world.us, "timeline"))
    kinds = {"Billing account", "Billing account binding", "Suspension", "Hold", "Charge", "Approval request", "Notice"}
    assert {kind for kind in kinds for row in rows if f">{kind}" in row[1]} == kinds
    suspended = next(row for row in rows if page_of(world.us) in row[1])
    assert "Phase: Ready → Suspended" in suspended[-1]
    assert suspended[2] == reason("BillingAccountSuspended")
    assert suspended[4] == "system:tests"
    [charge] = [row for row in rows if page_of(life.charge) in row[1]]
    assert "None" not in str(rows)
    assert str(life.hold.uid) not in str(rows)
    assert charge[2] == reason("ChargeReported")


def test_it_is_filtered_by_kind_person_and_period_on_every_page_and_as_csv(
    world: World, life: Life, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = page_of(world.us, "timeline")
    everything = texts(auditor, address)

    def found(**query: str) -> list[list[str]]:
        rows, following = [], "?" + urlencode(query)
        while following:
            (panel,) = auditor.get(address + following).context["panels"]
            rows += [[str(cell) for cell in row] for row in panel.rows]
            following = panel.following
        assert len(list(csv.DictReader(auditor.get(address + panel.more).content.decode().splitlines()))) == len(rows)
        return rows

    monkeypatch.setattr(timeline, "PER_PAGE", 2)
    assert found() == everything
    assert found(kind="Suspension") == [row for row in everything if ">Suspension" in row[1]] != []
    by_requester = [row for row in everything if "user:requester" in row[4]]
    assert found(person="requester") == found(person="user:requester") == by_requester != []
    assert found(person="system:tests", kind="Charge") == [row for row in everything if ">Charge" in row[1]]
    assert found(person="nobody") == found(kind="Notice", person="requester") == []
    since = life.suspension.history.latest().history_date.replace(second=0, microsecond=0)
    later = (since + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    assert found(since=since.strftime("%Y-%m-%dT%H:%M"), kind="Suspension") == found(kind="Suspension")
    assert found(since=later, kind="Suspension") == []
    for kind in ("x", "User"):
        assert auditor.get(address, {"kind": kind}).context["panels"] == []


def test_changed_fields_of_a_profile_are_in_words_too(world: World, auditor: Client) -> None:
    spec = AccountSpec("Renamed", "USD", make.TERMS, {"creditCard": {"cardReference": "cc-54321"}})
    revise(world.us.pk, replace(spec, invoice_email_addresses=["billing@acme-corp.example"]), actor=make.PLATFORM)
    changes = texts(auditor, page_of(world.us, "timeline"))[0][-1]
    assert "Display name: - → Renamed" in changes
    assert "Card reference: cc-54321" in changes
    assert "billing@acme-corp.example" in changes


def test_the_page_of_the_account_leads_to_it_and_it_leads_back(world: World, auditor: Client) -> None:
    timeline = page_of(world.us, "timeline")
    assert timeline in auditor.get(page_of(world.us)).content.decode()
    assert page_of(world.us) in auditor.get(timeline).content.decode()


def test_as_csv_it_is_the_same_and_a_formula_is_disarmed(world: World, life: Life, auditor: Client) -> None:
    withdraw(life.request.pk, comment="=HYPERLINK(1)", actor=make.REQUESTER)
    answer = auditor.get(page_of(world.us, "timeline"), {"csv": "1"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme-us-history.csv"'
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    assert [reason(row["reason"]) for row in rows] == [row[2] for row in texts(auditor, page_of(world.us, "timeline"))]
    assert rows[0]["message"] == "'=HYPERLINK(1)"


def test_it_ends_before_an_instant(world: World, life: Life, auditor: Client) -> None:
    address = page_of(world.us, "timeline")
    before = world.us.history.earliest().history_date.strftime("%Y-%m-%dT%H:%M")
    assert texts(auditor, f"{address}?before={before}") == []
    assert auditor.get(address, {"before": "yesterday", "csv": "1"}).context["panels"] == []


def test_its_pages_follow_one_another_and_leave_nothing_out(
    world: World, life: Life, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = page_of(world.us, "timeline")
    whole = texts(auditor, address)
    monkeypatch.setattr(timeline, "PER_PAGE", 3)
    assert 'rel="next"' in auditor.get(address).content.decode()
    pages, following = [], "?"
    while following:
        (panel,) = auditor.get(address + following).context["panels"]
        assert panel.rows
        pages.append([[str(cell) for cell in row] for row in panel.rows])
        following = panel.following
    assert len(pages) > 2
    assert [row for page in pages for row in page] == whole


def test_an_instant_with_more_events_than_a_page_is_read_to_its_end(
    world: World, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "PER_PAGE", 4)
    monkeypatch.setattr("billing.api.past.AT_MOST", 5)
    make.delivered_at_once(world.us, 11)
    address = page_of(world.us, "timeline")
    names, following, sizes = [], "?", []
    while following:
        (panel,) = auditor.get(address + following).context["panels"]
        names += [(">Notice" in str(row[1]), str(row[2])) for row in panel.rows]
        sizes.append(len(panel.rows))
        following = panel.following
    assert set(sizes[:-1]) == {4}
    assert len([name for name in names if name[0]]) == 11
    rows = csv.DictReader(auditor.get(address, {"csv": "1"}).content.decode().splitlines())
    assert [(row["kind"] == "Notice", reason(row["reason"])) for row in rows] == names


@pytest.mark.parametrize("cursor", ["x", "e30", "AAAA", "W10"])
def test_a_cursor_that_no_page_gave_is_refused_on_the_form(cursor: str, world: World, auditor: Client) -> None:
    page = auditor.get(page_of(world.us, "timeline"), {"cursor": cursor})
    assert page.status_code == 200
    assert page.context["panels"] == []
    assert "is no token of this timeline" in page.content.decode()


@pytest.mark.parametrize("key", ["0", "x", "1/2"])
def test_there_is_none_of_no_account(key: str, world: World, auditor: Client) -> None:
    assert auditor.get(f"/admin/billing/billingaccount/{key}/timeline/").status_code == 404
    assert auditor.get(f"/admin/billing/billingaccount/{key}/usage.csv").status_code == 404


def test_it_only_reads(world: World, operator: Client) -> None:
    with nothing_changes():
        assert operator.post(page_of(world.us, "timeline")).status_code == 405
