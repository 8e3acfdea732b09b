"""A move of many projects needs a second person where the operator says so; what was reviewed is what moves."""

from typing import Any

import pytest
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccountBinding, Notice, PayerChange
from billing.notice_texts import render
from billing.services.approvals.decisions import StaleReview, approve
from billing.services.approvals.requests import renew, withdraw
from billing.services.payer_changes.creation import ApprovalNeeded
from billing.services.payer_changes.facts import move_due
from billing.services.payer_changes.sets import PayerChangeSpec
from billing.services.projects import archive_project
from milo.access import Actor
from milo.errors import AlreadyExists, Forbidden, Invalid
from milo.kube.metadata import Metadata
from tests.support import make
from tests.support.ledger import assert_history_explains, assert_watchers_see, member, refused
from tests.support.payer_changes import DAY, Travel, World, a_payer_change, outcomes, travel

__all__ = ["travel"]
pytestmark = pytest.mark.django_db
FIELD = "spec.proposal.payerChange"


@pytest.fixture
def world(settings: Any) -> World:
    settings.MILO_APPROVE_MOVES_OVER = 2
    return World()


def proposal(world: World, **spec: Any) -> dict[str, Any]:
    """Everything that eu pays for, in a day, unless `spec` says otherwise."""
    chosen = {} if spec.keys() & {"projects", "labels"} else {"source": world.eu.name}
    given = {"effective_at": timezone.now() + DAY, "reason": "the department moves", **chosen, **spec}
    return {"payerChange": PayerChangeSpec(world.emea.name, **given).as_json()}


def asked(world: World, name: str = "eu-to-emea", **spec: Any) -> ApprovalRequest:
    return make.a_request(world.emea, "MovePayers", proposal=proposal(world, **spec), name=name)


def messages(caught: Any) -> dict[str, str]:
    return {cause.field: cause.message for cause in caught.value.causes}


def test_more_projects_than_the_limit_need_a_request_and_the_refusal_says_how(world: World) -> None:
    with refused(ApprovalNeeded) as caught:
        a_payer_change(world.emea, *world.projects)
    assert messages(caught) == {
        "spec.projects": "would move 3 projects, and a second person must approve a move of more than 2: create an"
        f" ApprovalRequest of this name with spec.billingAccountRef.name {world.emea.name}, spec.action MovePayers and"
        " this spec as spec.proposal.payerChange"
    }
    a_payer_change(world.emea, *world.projects[:2])


def test_without_the_setting_a_move_needs_no_approval(world: World, settings: Any) -> None:
    settings.MILO_APPROVE_MOVES_OVER = None
    a_payer_change(world.emea, *world.projects)


def test_an_approved_request_is_a_payer_change_of_its_name_like_any_other(world: World, travel: Travel) -> None:
    request = asked(world)
    assert not PayerChange.objects.exists()
    assert request.reviewed["projects"] == sorted(project.name for project in world.projects)
    assert request.reviewed["payers"] == [{"account": world.eu.name, "currencyCode": "USD", "projects": 3}]
    assert (request.reviewed["unbound"], request.reviewed["cannotMove"]) == (0, [])
    make.approve(request.pk, actor=make.APPROVER)
    change = PayerChange.objects.get()
    assert (change.name, change.account, change.source) == ("eu-to-emea", world.emea, world.eu)
    assert (change.created_by, change.reason) == (make.REQUESTER.name, "the department moves")
    assert set(outcomes(change).values()) == {("Pending", "")}
    assert change.history.get().history_approval == request.uid
    assert change.history.get().history_user_id == make.APPROVER.name
    assert_history_explains(change)
    assert_watchers_see(change)
    travel(DAY)
    move_due()
    assert world.payers() == [world.emea.name] * 3


def test_a_project_that_came_or_left_since_makes_the_request_stale_and_renewed_it_moves_these(world: World) -> None:
    request = asked(world)
    read = request.reviewed_hash
    late = make.a_project(world.organization, "late")
    make.a_binding(late, world.eu)
    with refused(StaleReview) as caught:
        approve(request.pk, reviewed_hash=read, actor=make.APPROVER)
    assert set(messages(caught)) == {"reviewed.projects", "reviewed.payers"}
    assert not PayerChange.objects.exists()
    renew(request.pk, actor=make.REQUESTER)
    make.approve(request.pk, actor=make.APPROVER)
    assert PayerChange.objects.get().items.filter(project=late).exists()


def test_what_differs_of_a_long_set_is_named_and_not_the_set(world: World) -> None:
    for number in range(20):
        make.a_binding(make.a_project(world.organization, f"many-{number}"), world.eu)
    request = asked(world)
    make.a_binding(make.a_project(world.organization, "late"), world.eu)
    with refused(StaleReview) as caught:
        make.approve(request.pk, actor=make.APPROVER)
    assert messages(caught)["reviewed.projects"] == "was ['...'], is ['late', '...']"


def test_a_project_bound_to_another_account_since_makes_the_request_stale(world: World) -> None:
    names = [project.name for project in world.projects]
    request = asked(world, projects=names)
    make.a_binding(world.shop, make.a_ready_account(world.organization))
    with refused(StaleReview) as caught:
        make.approve(request.pk, actor=make.APPROVER)
    assert set(messages(caught)) == {"reviewed.payers"}


def test_whoever_asked_does_not_approve_and_nobody_who_did_not_read_it(world: World) -> None:
    request = asked(world)
    approving = Actor(make.REQUESTER.name, make.APPROVER.roles)
    with refused(Forbidden, "a second person must approve it"):
        make.approve(request.pk, actor=approving)
    with refused(StaleReview, "is not the one of this reviewedHash"):
        approve(request.pk, reviewed_hash="0" * 64, actor=make.APPROVER)


def test_every_fault_of_the_proposal_is_said_at_once_and_at_its_place(world: World) -> None:
    spec = PayerChangeSpec(world.eu.name, " ", projects=["nowhere"], effective_at=timezone.now() - DAY).as_json()
    with refused(Invalid) as caught:
        make.a_request(world.emea, "MovePayers", proposal={"payerChange": spec})
    assert messages(caught) == {
        f"{FIELD}.reason": "is required",
        f"{FIELD}.toAccountRef.name": f"must be {world.emea.name}, the account of the request",
        f"{FIELD}.projects[0]": "there is no project nowhere in this organization",
        f"{FIELD}.effectiveAt": "must be in the future",
    }
    with refused(Invalid) as caught:
        make.a_request(world.emea, "MovePayers")
    assert messages(caught) == {FIELD: "is required"}
    with refused(Invalid) as caught:
        asked(world, source="", projects=None)
    assert set(messages(caught)) == {f"{FIELD}.projects"}


def test_an_approval_too_late_for_the_instant_creates_nothing(world: World, travel: Travel) -> None:
    request = asked(world)
    travel(2 * DAY)
    with refused(Invalid) as caught:
        make.approve(request.pk, actor=make.APPROVER)
    assert messages(caught) == {f"{FIELD}.effectiveAt": "must be in the future"}


def test_effective_now_is_the_instant_of_the_approval_and_what_cannot_move_is_an_outcome(world: World) -> None:
    archived = make.a_project(world.organization, "archived")
    archive_project(archived.pk, actor=make.PLATFORM)
    names = [*(project.name for project in world.projects), archived.name]
    request = asked(world, projects=names, effective_at=None)
    assert request.reviewed["cannotMove"] == [{"project": "archived", "why": "project archived is archived"}]
    make.approve(request.pk, actor=make.APPROVER)
    request.refresh_from_db()
    assert request.decided_at
    move_due()
    assert outcomes(PayerChange.objects.get())["archived"] == ("Failed", "ProjectArchived")
    assert world.payers() == [world.emea.name] * 3
    started = BillingAccountBinding.objects.paying().filter(account=world.emea).values_list("established_at", flat=True)
    assert min(started) >= request.requested_at


def test_what_is_due_comes_first_and_does_not_fail_the_approval(world: World, travel: Travel) -> None:
    search, names = world.projects[1], [project.name for project in world.projects[::2]]
    a_payer_change(world.emea, search, name="before")
    request = asked(world, projects=names, effective_at=timezone.now() + 3 * DAY)
    travel(DAY)
    make.approve(request.pk, actor=make.APPROVER)
    assert set(outcomes(PayerChange.objects.get(name=request.name))) == set(names)


def test_two_requests_wait_side_by_side_and_the_second_is_refused_for_what_is_planned(world: World) -> None:
    first, second = asked(world), asked(world, name="again")
    make.approve(first.pk, actor=make.APPROVER)
    with refused(Invalid, "by payer change eu-to-emea: cancel that first"):
        make.approve(second.pk, actor=make.APPROVER)


def test_the_name_is_free_at_the_request_and_at_the_approval(world: World) -> None:
    request = asked(world, projects=[project.name for project in world.projects[1:]])
    a_payer_change(world.emea, world.shop, name=request.name)
    with refused(Invalid, f"payer change {request.name} already exists"):
        make.approve(request.pk, actor=make.APPROVER)
    a_payer_change(world.eu, make.a_project(world.organization), name="taken")
    with refused(Invalid, "payer change taken already exists"):
        asked(world, name="taken", projects=[world.projects[1].name])
    with refused(AlreadyExists):
        asked(world)


def test_a_request_that_is_withdrawn_moves_nothing(world: World) -> None:
    request = asked(world)
    withdraw(request.pk, comment="put off", actor=make.REQUESTER)
    assert not PayerChange.objects.exists()
    assert world.payers() == [world.eu.name] * 3


def test_approvers_read_how_many_projects_get_another_payer(world: World) -> None:
    make.a_person("approver", groups=("finance-approver",), email="approver@milo.example")
    asked(world)
    notice = Notice.objects.get(about="AwaitingDecision")
    for language, words in (("en", "Projects that get another payer: 3"), ("de", "einen anderen Zahler bekommen: 3")):
        text = render(notice.about, notice.context, account=world.emea, language=language)
        assert words in text.plain
        assert words in text.html


def test_labels_of_the_request_stay_with_the_request(world: World) -> None:
    metadata = Metadata(labels={"team": "finance"})
    spec = proposal(world)
    request = make.a_request(world.emea, "MovePayers", proposal=spec, name="labelled", metadata=metadata)
    make.approve(request.pk, actor=make.APPROVER)
    assert PayerChange.objects.get().labels == {}


def test_whoever_may_not_move_so_many_is_refused_for_that_first(world: World) -> None:
    for number in range(20):
        make.a_binding(make.a_project(world.organization, f"many-{number}"), world.eu)
    user = member(world.organization.pk, "billing-user")
    with refused(Forbidden, "at most 20 projects"):
        a_payer_change(world.emea, source=world.eu.name, actor=user)
    with refused(ApprovalNeeded):
        a_payer_change(world.emea, *world.projects, actor=user)
    with refused(Forbidden):
        make.a_request(world.emea, "MovePayers", proposal=proposal(world), actor=user)
