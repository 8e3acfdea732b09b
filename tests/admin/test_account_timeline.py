"""The timeline of an account: everything that happened to it, in one list and as CSV."""

import csv

import pytest
from django.test import Client

from billing.admin import timeline
from billing.services.approvals.requests import withdraw
from billing.tasks import deliver_notices
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
    assert {row[1] for row in rows} == {
        "BillingAccount",
        "BillingAccountBinding",
        "Suspension",
        "Hold",
        "Charge",
        "ApprovalRequest",
        "Notice",
    }
    suspended = next(row for row in rows if row[1] == "BillingAccount")
    assert "phase: Ready → Suspended" in suspended[-1]
    assert suspended[5] == "system:tests"


def test_the_page_of_the_account_leads_to_it_and_it_leads_back(world: World, auditor: Client) -> None:
    timeline = page_of(world.us, "timeline")
    assert timeline in auditor.get(page_of(world.us)).content.decode()
    assert page_of(world.us) in auditor.get(timeline).content.decode()


def test_as_csv_it_is_the_same_and_a_formula_is_disarmed(world: World, life: Life, auditor: Client) -> None:
    withdraw(life.request.pk, comment="=HYPERLINK(1)", actor=make.REQUESTER)
    answer = auditor.get(page_of(world.us, "timeline"), {"csv": "1"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme-us-history.csv"'
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    assert [row["reason"] for row in rows] == [row[3] for row in texts(auditor, page_of(world.us, "timeline"))]
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
        names += [(str(row[1]), str(row[2]), str(row[3])) for row in panel.rows]
        sizes.append(len(panel.rows))
        following = panel.following
    assert set(sizes[:-1]) == {4}
    assert len([name for name in names if name[0] == "Notice"]) == 11
    rows = csv.DictReader(auditor.get(address, {"csv": "1"}).content.decode().splitlines())
    assert [(row["kind"], row["name"], row["reason"]) for row in rows] == names


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
