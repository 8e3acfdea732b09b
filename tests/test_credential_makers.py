"""One person alone: who made the credential of a program, or of a person, stands behind what is done by it."""

import pytest
from django.contrib.auth.models import User

from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.requests import renew
from milo.access import Actor
from milo.errors import Forbidden
from milo.identity.actors import actor_of
from milo.identity.service_users import create_service_user
from milo.identity.tokens import admit, issue_token
from tests import make
from tests.ledger import refused
from tests.make import approve

pytestmark = pytest.mark.django_db
MADE = "you made the credential by which this was asked for"


@pytest.fixture
def account() -> BillingAccount:
    return make.a_ready_account(make.an_organization())


@pytest.fixture
def root() -> Actor:
    return actor_of(make.a_person("root", is_superuser=True))


def a_program(*, issuer: Actor) -> Actor:
    """A service user that may ask for approvals, by a token of `issuer`."""
    robot: User = create_service_user("robot", actor=issuer).user
    robot.groups.add(*make.a_person(groups=("finance-operator",)).groups.all())
    found = admit(issue_token(robot, actor=issuer)[1])
    assert found
    return found[1]


def edited(account: BillingAccount, actor: Actor) -> None:
    revise(account.pk, AccountSpec("Renamed", "USD", make.TERMS, make.CARD), actor=actor)


def test_nobody_approves_what_a_program_asks_for_by_a_token_of_theirs(account: BillingAccount, root: Actor) -> None:
    request = make.a_request(account, actor=a_program(issuer=root))
    assert request not in ApprovalRequest.objects.awaiting(root.name)
    with refused(Forbidden, MADE):
        approve(request.pk, actor=root)
    assert request in ApprovalRequest.objects.awaiting(make.APPROVER.name)
    assert approve(request.pk, actor=make.APPROVER).phase == "Approved"


def test_nobody_approves_what_a_program_has_edited_by_a_token_of_theirs(account: BillingAccount, root: Actor) -> None:
    edited(account, a_program(issuer=root))
    request = make.a_request(account)
    assert request not in ApprovalRequest.objects.awaiting(root.name)
    with refused(Forbidden, "you changed the account since its last approval"):
        approve(request.pk, actor=root)
    assert approve(request.pk, actor=make.APPROVER).editors == "\nuser:robot\n\nuser:root\n"


def test_nobody_approves_by_a_credential_of_whoever_made_the_programs(account: BillingAccount, root: Actor) -> None:
    program = a_program(issuer=root)
    puppet = Actor(make.APPROVER.name, make.APPROVER.roles, credential="session", maker=root.name)
    request = make.a_request(account, actor=program)
    with refused(Forbidden, "made the credential that you act by"):
        approve(request.pk, actor=puppet)


def test_nobody_approves_what_is_asked_or_renewed_by_a_credential_of_theirs(
    account: BillingAccount, root: Actor
) -> None:
    person = Actor(make.REQUESTER.name, make.REQUESTER.roles, credential="session", maker=root.name)
    asked = make.a_request(account, actor=person)
    renewed = make.a_request(make.a_ready_account(account.organization), "Close")
    renew(renewed.pk, actor=person)
    for request in (asked, renewed):
        assert request not in ApprovalRequest.objects.awaiting(root.name)
        with refused(Forbidden, MADE):
            approve(request.pk, actor=root)


def test_two_people_whom_the_same_administrator_has_invited_decide_for_each_other(account: BillingAccount) -> None:
    one, two = (
        Actor(actor.name, actor.roles, credential="session", maker="user:administrator")
        for actor in (make.REQUESTER, make.APPROVER)
    )
    edited(account, one)
    request = make.a_request(account, actor=one)
    assert request in ApprovalRequest.objects.awaiting(two.name)
    assert approve(request.pk, actor=two).phase == "Approved"
