"""What the pages of an account and of its projects tell of its life."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Announcement, Charge, Hold, Notice, Suspension
from billing.services.charges import settle_charge
from billing.services.suspensions import resolve, suspend
from milo.kube.models import Change
from tests.admin.browser import list_of, page_of, panels_of, parts_of
from tests.admin.conftest import Life, World
from tests.admin.test_links import cells
from tests.support import make
from tests.support.ledger import staff


def titles(client: Client, world: World) -> list[str]:
    return [panel.title for panel in panels_of(client, world.us)]


def test_a_suspension_tells_who_when_why_and_what_resolved_it(world: World, operator: Client) -> None:
    suspend(
        world.us.pk,
        reason_code="OwnershipDispute",
        message="Two of you claim it.",
        internal_note="a hard case",
        actor=staff("finance-operator"),
    )
    found = Suspension.objects.get()
    [[reason, suspended, message, note, evidence, resolved]] = cells(operator, world.us, "Suspensions")
    assert page_of(found) in reason
    assert "Dispute over ownership" in reason
    assert suspended == f"{found.suspended_at:%Y-%m-%d %H:%M:%S} UTC<br>user:staff"
    assert (message, note, evidence) == ("Two of you claim it.", "a hard case", "-")
    resolve(world.us.pk, found.uid, evidence={"signedAuthority": "letter 5"}, actor=make.PLATFORM)
    [[*_before, evidence, resolved]] = cells(operator, world.us, "Suspensions")
    assert evidence == "signedAuthority: letter 5"
    assert resolved.endswith("system:tests")


def test_the_internal_note_goes_nowhere_that_customers_read(world: World, auditor: Client) -> None:
    make.a_binding(make.a_project(world.organization, contact_email_addresses=["a@acme-corp.example"]), world.us)
    suspend(world.us.pk, reason_code="ManualReview", message="look", internal_note="a hard case", actor=make.PLATFORM)
    assert "a hard case" in auditor.get(page_of(Suspension.objects.get())).content.decode()
    for kind in (Change, Notice, Announcement):
        rows = list(kind._default_manager.values())
        assert rows
        assert "a hard case" not in str(rows), kind


def test_the_checklist_names_each_blocker_what_removes_it_and_who_may(
    life: Life, world: World, operator: Client
) -> None:
    title = "What keeps it from being closed"
    shown = cells(operator, world.us, title)
    assert [(kind, who) for kind, _name, _message, _fix, who in shown] == [
        ("Payer change", "billing-admin, billing-user, finance-operator"),
        ("Charge", "charge-reporter"),
        ("Hold", "finance-operator"),
        ("Approval request", "finance-approver, the requester"),
    ]
    assert shown[1][3] == "have the settlement reported"
    # each leads to its object, and to what removes it
    for row, (object_, way) in zip(
        shown,
        (
            (page_of(life.change), page_of(life.change, "cancel")),
            (page_of(life.charge), "have the settlement reported"),
            (page_of(life.hold), page_of(world.us, "request-release")),
            (page_of(life.request), page_of(life.request)),
        ),
        strict=True,
    ):
        assert object_ in row[1]
        assert way in row[3]
        address = way if way.startswith("/") else object_
        assert operator.get(address).status_code == 200
    found = cells(operator, world.eu, title)
    ways = {(kind, page_of(world.second) in name): way for kind, name, _what, way, _who in found}
    assert page_of(world.project, "bind") in ways["Billing account binding", True]
    [plan] = [row for row in found if row[0] == "Billing account affiliation"]
    assert page_of(life.plan) in plan[1]
    assert page_of(life.plan, "cancel") in plan[3]


def test_the_checklist_is_german_for_who_reads_german(life: Life, world: World, operator: Client) -> None:
    page = operator.get(page_of(world.us), {"tab": "closing"}, headers={"Accept-Language": "de"})
    [panel] = page.context["panels"]
    assert [row[0] for row in panel.rows] == ["Zahlerwechsel", "Forderung", "Haltevermerk", "Genehmigungsantrag"]


def test_what_removes_a_blocker_is_a_link_for_whom_may_alone(
    life: Life, world: World, operator: Client, auditor: Client
) -> None:
    title = "What keeps it from being closed"
    [hold] = [row for row in cells(auditor, world.us, title) if row[0] == "Hold"]
    assert hold[3] == "request its release"
    facts = operator.get(page_of(world.us, "request-closure")).context["facts"]
    assert facts[0][0] == "What stands in the way"
    assert page_of(world.us, "request-release") in facts[0][1]


def test_a_closed_account_has_no_checklist_and_a_free_one_says_so(world: World, operator: Client) -> None:
    assert cells(operator, world.us, "What keeps it from being closed") == []
    make.in_phase(world.us, "Closed")
    assert not [title for title in titles(operator, world) if "being closed" in title]


def test_holds_charges_and_requests_are_listed(life: Life, world: World, operator: Client) -> None:
    [[hold, message, _note, _set, released, _why]] = cells(operator, world.us, "Holds")
    assert page_of(life.hold) in hold
    assert (message, released) == ("invoice 12 is disputed", "-")
    settle_charge(life.charge.pk, reference="wire 7", actor=make.PLATFORM)
    [[charge, amount, due, settled, reference]] = cells(operator, world.us, "Charges")
    assert page_of(life.charge) in charge
    assert (amount, due, reference) == ("12.50 USD", "2026-01-31", "wire 7")
    assert settled != "-"
    [[request, proposed, phase, requester, *_rest]] = cells(operator, world.us, "Approval requests")
    assert page_of(life.request) in request
    assert (proposed, phase, requester) == ("Net days: 30 → 90", "Pending", "user:requester")


@pytest.mark.parametrize("kind", [Charge, Hold, Suspension, Notice])
def test_each_kind_is_found_by_the_name_of_its_account(kind: type, life: Life, operator: Client) -> None:
    for term, found in (("acme-us", 1), ("acme-eu", 0)):
        assert operator.get(list_of(kind), {"q": term}).context["cl"].result_count == found


def test_a_project_says_whether_its_payer_is_in_good_standing(world: World, operator: Client) -> None:
    address = page_of(world.project)
    assert "In good standing" in operator.get(address).content.decode()
    make.in_phase(world.eu, "Suspended")
    page = operator.get(address).content.decode()
    assert "Suspended: Manual review" in page
    assert "In good standing" not in page


def test_a_page_takes_as_many_queries_for_a_long_life_as_for_a_short_one(
    life: Life, world: World, operator: Client
) -> None:
    parts_of(operator, world.us)
    counts = []
    for more in (2, 12):
        for _each in range(more):
            suspend(world.us.pk, reason_code="Chargeback", message="another", actor=make.PLATFORM)
        with CaptureQueriesContext(connection) as queries:
            parts_of(operator, world.us)
        counts.append(len(queries))
    assert counts[0] == counts[1]
