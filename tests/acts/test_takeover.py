"""A pending request of somebody who is deactivated: it says so, and waits for another person to stand by it."""

import pytest
from django.contrib.auth.models import User

from billing.models import ApprovalRequest
from billing.services.approvals.decisions import reject
from billing.services.approvals.requests import renew, takeover, withdraw
from milo.access import Actor
from milo.errors import Conflict, Forbidden
from milo.identity.actors import actor_of
from tests.support import make
from tests.support.ledger import refused, staff, steps
from tests.support.make import approve

pytestmark = pytest.mark.django_db
HEIR = Actor("user:heir", frozenset({"finance-operator", "finance-approver"}))


@pytest.fixture
def asker() -> User:
    return make.a_person("asker", groups=("finance-operator",))


@pytest.fixture
def request_to_close(asker: User) -> ApprovalRequest:
    account = make.a_ready_account(make.an_organization())
    return make.a_request(account, "Close", actor=actor_of(asker))


@pytest.fixture
def abandoned(request_to_close: ApprovalRequest, asker: User) -> ApprovalRequest:
    User.objects.filter(pk=asker.pk).update(is_active=False)
    return request_to_close


def test_nobody_approves_it_until_another_person_has_taken_it_over(abandoned: ApprovalRequest) -> None:
    assert abandoned not in ApprovalRequest.objects.awaiting(make.APPROVER.name)
    with refused(Conflict, "user:asker, who stands by this request, is deactivated"):
        approve(abandoned.pk, actor=make.APPROVER)
    taken = takeover(abandoned.pk, comment="I run the desk now", actor=HEIR)
    assert (taken.requester, taken.taken_over_by) == ("user:asker", HEIR.name)
    assert steps(taken)[-1] == ("Pending", "ApprovalTakenOver: I run the desk now")
    assert abandoned in ApprovalRequest.objects.awaiting(make.APPROVER.name)
    assert approve(abandoned.pk, actor=make.APPROVER).phase == "Approved"


def test_whoever_took_it_over_never_approves_it(abandoned: ApprovalRequest) -> None:
    takeover(abandoned.pk, actor=HEIR)
    assert abandoned not in ApprovalRequest.objects.awaiting(HEIR.name)
    with refused(Forbidden, "a second person must approve it"):
        approve(abandoned.pk, actor=HEIR)


def test_whoever_took_it_over_renews_and_withdraws_it(abandoned: ApprovalRequest) -> None:
    with refused(Forbidden, "only user:asker can renew"):
        renew(abandoned.pk, actor=HEIR)
    takeover(abandoned.pk, actor=HEIR)
    renew(abandoned.pk, actor=HEIR)
    assert withdraw(abandoned.pk, comment="not needed", actor=HEIR).phase == "Withdrawn"


def test_it_is_rejected_without_anybody_to_stand_by_it(abandoned: ApprovalRequest) -> None:
    assert reject(abandoned.pk, comment="nobody knows why", actor=make.APPROVER).phase == "Rejected"


def test_of_a_person_who_is_active_nothing_is_taken(request_to_close: ApprovalRequest) -> None:
    with refused(Conflict, "is active and can renew or withdraw it"):
        takeover(request_to_close.pk, actor=HEIR)


def test_a_second_heir_takes_it_from_one_who_left_too(abandoned: ApprovalRequest) -> None:
    make.a_person("heir", is_active=False)
    takeover(abandoned.pk, actor=HEIR)
    assert takeover(abandoned.pk, actor=make.REQUESTER).taken_over_by == make.REQUESTER.name


def test_who_may_not_ask_takes_nothing_over(abandoned: ApprovalRequest) -> None:
    for actor in (make.APPROVER, staff("auditor"), Actor("user:nobody")):
        with refused(Forbidden):
            takeover(abandoned.pk, actor=actor)
