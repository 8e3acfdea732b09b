"""What a request is about stands in words wherever it is shown, and it is stale only where something changed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.admin.proposals import proposed, summary
from billing.models import ApprovalRequest, BillingAccount, Notice, Suspension
from billing.notice_texts import render
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals import decisions, reviews
from billing.services.approvals.effects import EFFECTS
from billing.services.holds import set_hold
from billing.services.payer_changes.sets import PayerChangeSpec
from billing.services.suspensions import resolve, suspend
from milo import audit
from milo.identity.actors import actor_of
from projects.models import Project
from tests.admin.browser import errors, list_of, page_of, panels_of_request, staff, submit, text_of
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.usage import an_event, taken

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
STALE = "What has changed since the review"
Action = ApprovalRequest.Action


def revised(account: BillingAccount) -> None:
    revise(account.pk, AccountSpec("Renamed", "USD", make.TERMS, make.CARD), actor=make.PLATFORM)


def suspended(account: BillingAccount) -> None:
    suspend(account.pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)


def archived(account: BillingAccount) -> None:
    BillingAccount.objects.filter(pk=account.pk).update(phase="Archived", archived_at=timezone.now())


def usage_arrived(account: BillingAccount) -> None:
    taken(an_event(Project.objects.get(name="unpaid"), "16", time=MARCH + timedelta(hours=1)))


def to_reactivate(account: BillingAccount) -> ApprovalRequest:
    suspended(account)
    uid = Suspension.objects.get().uid
    resolve(account.pk, uid, evidence={"reviewer": "the desk", "note": "all is well"}, actor=make.PLATFORM)
    return make.a_request(account, "Reactivate")


def to_reopen(account: BillingAccount) -> ApprovalRequest:
    return make.a_request(make.in_phase(account, "Closed"), "Reopen")


def to_release(account: BillingAccount) -> ApprovalRequest:
    hold = set_hold(account.pk, type="Dispute", message="invoice 12 is disputed", actor=make.PLATFORM)
    return make.a_request(account, "ReleaseHold", proposal={"hold": str(hold.uid)})


def to_assign(account: BillingAccount) -> ApprovalRequest:
    project = make.a_project(account.organization, "unpaid")
    taken(an_event(project, "8", time=MARCH))
    span = {"project": project.name, "since": str(MARCH), "until": str(APRIL)}
    return make.a_request(account, "AssignUsage", proposal=span)


def to_redate(account: BillingAccount) -> ApprovalRequest:
    """The project of the world was bound once more, by a clock that was 15 days ahead."""
    project, now = Project.objects.get(name="webapp-frontend"), timezone.now
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(timezone, "now", lambda: now() + timedelta(days=15))
        make.a_binding(project, account, "ahead")
    return make.a_request(account, "RedateBindings", proposal={"project": project.name})


def bound_again(account: BillingAccount) -> None:
    make.a_binding(Project.objects.get(name="webapp-frontend"), make.a_ready_account(account.organization))


def to_correct(account: BillingAccount) -> ApprovalRequest:
    """Of a project that nobody pays for; usage of the span arrives afterwards."""
    since, until = (timezone.now() - timedelta(days=days) for days in (20, 1))
    with make.created_at(since):
        project = make.a_project(account.organization, "unpaid")
    span = {"project": project.name, "since": since.isoformat(), "until": until.isoformat()}
    return make.a_request(account, "CorrectPayer", proposal=span)


def usage_came(account: BillingAccount) -> None:
    taken(an_event(Project.objects.get(name="unpaid"), time=timezone.now() - timedelta(days=10)))


def to_move(account: BillingAccount) -> ApprovalRequest:
    make.a_project(account.organization, "unpaid")
    spec = PayerChangeSpec(account.name, "one payer for all", projects=["unpaid"])
    return make.a_request(account, "MovePayers", proposal={"payerChange": spec.as_json()})


def came_to_another(account: BillingAccount) -> None:
    make.a_binding(Project.objects.get(name="unpaid"), make.a_ready_account(account.organization))


def to_affiliate(account: BillingAccount) -> ApprovalRequest:
    make.a_ready_account(account.organization, "group")
    return make.a_request(account, "Affiliate", proposal={"parentRef": {"name": "group"}, "payer": "Parent"})


Asks = Callable[[BillingAccount], ApprovalRequest]
Changes = Callable[[BillingAccount], None]
CASES: dict[str, tuple[Asks, Changes]] = {
    Action.REACTIVATE: (to_reactivate, suspended),
    Action.CLOSE: (lambda account: make.a_request(account, "Close"), revised),
    Action.REOPEN: (to_reopen, archived),
    Action.REVISE_TERMS: (make.a_request, suspended),
    Action.RELEASE_HOLD: (to_release, revised),
    Action.ASSIGN_USAGE: (to_assign, usage_arrived),
    Action.REDATE_BINDINGS: (to_redate, bound_again),
    Action.CORRECT_PAYER: (to_correct, usage_came),
    Action.MOVE_PAYERS: (to_move, came_to_another),
    Action.AFFILIATE: (to_affiliate, revised),
}


@pytest.fixture
def approver(db: None) -> Client:
    """Somebody who has not closed the account either."""
    return staff("finance-approver", name="second-approver", email="approver@milo.example")


def panels(client: Client, request: ApprovalRequest) -> dict[str, Any]:
    return {panel.title: panel for panel in panels_of_request(client, request)}


def test_every_act_that_needs_approval_has_its_case() -> None:
    assert set(CASES) == set(EFFECTS) == set(Action.values)


@pytest.mark.parametrize("act", CASES)
def test_a_fresh_request_is_not_stale_and_can_be_approved(act: str, world: World, approver: Client) -> None:
    request = CASES[act][0](world.us)
    assert STALE not in panels(approver, request)
    assert submit(approver, page_of(request, "approve")).status_code == 302
    request.refresh_from_db()
    assert request.phase == "Approved"


@pytest.mark.parametrize("act", CASES)
def test_a_request_about_what_has_changed_is_stale_on_the_page_and_for_the_service(
    act: str, world: World, approver: Client
) -> None:
    asks, changes = CASES[act]
    request = asks(world.us)
    changes(world.us)
    shown = panels(approver, request)[STALE]
    assert shown.rows
    refusal = errors(submit(approver, page_of(request, "approve")))["__all__"]
    assert "has changed since it was reviewed" in refusal[0]
    assert len(shown.rows) == len(refusal) - 1
    request.refresh_from_db()
    assert request.phase == "Pending"


def test_a_review_without_a_field_that_a_later_version_adds_is_stale_on_the_page_too(
    world: World, approver: Client
) -> None:
    request = make.a_request(make.an_incomplete_account(world.organization), "Close")
    assert request.reviewed.pop("netDays") is None
    request.reviewed_hash = reviews.hash_of(request.reviewed)
    with audit.transaction():
        audit.save_as(make.PLATFORM, request, reason="ApprovalRenewed")
    assert [row[0] for row in panels(approver, request)[STALE].rows] == ["Net days"]
    with nothing_changes():
        refusal = errors(submit(approver, page_of(request, "approve")))["__all__"]
    assert len(refusal) == 2


def test_whoever_decides_on_a_release_reads_type_and_reason_of_the_hold_and_no_uid(
    world: World, approver: Client
) -> None:
    request = to_release(world.us)
    words, uid = "Dispute: invoice 12 is disputed", request.proposal["hold"]
    approve = approver.get(page_of(request, "approve")).content.decode()
    pages = [approve, *(text_of(approver, row) for row in (request, world.us))]
    pages.append(approver.get(list_of(ApprovalRequest)).content.decode())
    for page in pages:
        assert words in page
    assert uid not in pages[0]
    assert uid not in pages[1]
    notice = Notice.objects.get(about="AwaitingDecision")
    for language, word in (("en", "Hold: Dispute"), ("de", "Haltevermerk: Streitfall")):
        text = render(notice.about, notice.context, account=world.us, language=language)
        assert f"{word}: invoice 12 is disputed" in text.plain
        assert f"{word}: invoice 12 is disputed" in text.html


def test_a_released_hold_is_still_named_by_the_request_that_released_it(world: World, approver: Client) -> None:
    request = to_release(world.us)
    submit(approver, page_of(request, "approve"))
    row = ["Hold", "Dispute: invoice 12 is disputed", "released"]
    assert row in panels(approver, request)["What changes"].rows
    # one that was decided before the hold stood in the review
    request.refresh_from_db()
    del request.reviewed["hold"]
    assert proposed(request)[0][1] == "Dispute: invoice 12 is disputed"


def test_mails_name_account_and_person_as_people_do_and_link_to_the_request(world: World, settings: Any) -> None:
    settings.MILO_STAFF_URL = "https://staff.example.org"
    make.a_person("decider", groups=("finance-approver",), email="decider@milo.example")
    make.a_person("boss", roles={world.organization: "billing-admin"}, email="boss@acme-corp.example")
    person: dict[str, Any] = {"first_name": "Olga", "last_name": "Operator", "email": "olga@milo.example"}
    asker = make.a_person("olga", groups=("finance-operator",), is_staff=True, **person)
    account = make.a_ready_account(world.organization, "acme-de", display_name="Acme Germany")
    request = make.a_request(account, actor=actor_of(asker))
    link = f"https://staff.example.org{page_of(request)}"
    [notice] = Notice.objects.filter(about="AwaitingDecision", recipient="decider@milo.example")
    asks = render(notice.about, notice.context, account=account)
    assert (
        "Olga Operator (olga) asks for approval: Revise terms of billing account Acme Germany (acme-de)." in asks.plain
    )
    assert link in asks.plain
    assert f'href="{link}"' in asks.html
    assert asks.subject == "Revise terms of Acme Germany (acme-de) awaits your decision"
    decisions.reject(request.pk, comment="no", actor=make.APPROVER)
    decided = {
        notice.recipient: render(notice.about, notice.context, account=account)
        for notice in Notice.objects.filter(about="Decided")
    }
    assert "Requested by: Olga Operator (olga)" in decided["olga@milo.example"].plain
    assert link in decided["olga@milo.example"].html
    # a customer cannot open the staff site
    assert link not in decided["boss@acme-corp.example"].plain
    settings.MILO_STAFF_URL = ""
    assert "inbox of the staff site" in render(notice.about, notice.context, account=account).plain


def test_the_notice_of_an_assignment_names_project_and_span(world: World, approver: Client) -> None:
    to_assign(world.us)
    notice = Notice.objects.get(about="AwaitingDecision")
    text = render(notice.about, notice.context, account=world.us)
    assert f"Usage of project unpaid from {MARCH} until {APRIL}" in text.plain


def test_who_decides_on_redating_reads_the_bindings_with_their_instants(world: World, approver: Client) -> None:
    request = to_redate(world.us)
    approve = str(dict(approver.get(page_of(request, "approve")).context["facts"])["What changes"])
    for it in request.reviewed["bindings"]:
        assert f"Binding {it['name']} of acme-" in approve
        assert it["establishedAt"][:10] in approve
    assert [it["name"] for it in request.reviewed["bindings"]] == ["second", "ahead"]
    assert "Binding second of acme-eu" in approver.get(list_of(ApprovalRequest)).content.decode()


def test_the_list_says_what_is_proposed_without_a_query(
    world: World, approver: Client, django_assert_num_queries: Any
) -> None:
    make.a_request(world.us)
    to_release(world.us)
    page = approver.get(list_of(ApprovalRequest)).content.decode()
    assert "Net days: 30 → 90" in page
    assert "Hold: Dispute: invoice 12 is disputed → released" in page
    requests = list(ApprovalRequest.objects.all())
    with django_assert_num_queries(0):
        assert all(summary(request) != "-" for request in requests)
