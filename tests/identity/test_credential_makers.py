"""One person alone: who made the credential of a program, or of a person, stands behind what is done by it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.decisions import reject
from billing.services.approvals.requests import renew
from milo.access import Actor
from milo.audit.authors import working
from milo.errors import Conflict, Forbidden
from milo.identity.actors import actor_of
from milo.identity.makers import behind
from milo.identity.passwords import maker_of, request_link, set_by_link
from milo.identity.service_users import create_service_user
from milo.identity.tokens import admit, issue_token
from tests.support import make
from tests.support.ledger import refused
from tests.support.make import approve

pytestmark = pytest.mark.django_db
MADE = "you made the credential by which this was asked for"


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


def invited(name: str, *, by: Actor, groups: tuple[str, ...] = ()) -> Actor:
    """Somebody who logs in with the password that they set by a link of `by`."""
    person = make.a_person(name, groups=groups, email=f"{name}@example.org")
    request_link(person, actor=by)
    set_by_link(person, "correct horse battery")
    return session_of(person)


def session_of(person: User) -> Actor:
    return replace(actor_of(person), credential="session", maker=maker_of(person))


def an_administrator(name: str, *, by: Actor) -> Actor:
    invited(name, by=by)
    User.objects.filter(username=name).update(is_superuser=True)
    return session_of(User.objects.get(username=name))


def by_own_token(actor: Actor) -> Actor:
    person = User.objects.get(username=actor.name.removeprefix("user:"))
    found = admit(issue_token(person, actor=actor)[1])
    assert found
    return found[1]


def test_nobody_decides_by_a_credential_that_their_puppet_made(account: BillingAccount, root: Actor) -> None:
    between = an_administrator("between", by=an_administrator("first", by=root))
    puppet = invited("puppet", by=between, groups=("finance-approver",))
    edited(account, root)
    request = make.a_request(account)
    for credential in (puppet, by_own_token(puppet)):
        with refused(Forbidden, "user:root, who asks for this or has changed the account, made the credential"):
            approve(request.pk, actor=credential)
        with refused(Forbidden, "made the credential"):
            reject(request.pk, comment="no", actor=credential)
    assert approve(request.pk, actor=make.APPROVER).phase == "Approved"


def test_nobody_approves_what_the_puppet_of_their_puppet_asks_for_or_edits(
    account: BillingAccount, root: Actor
) -> None:
    between = an_administrator("between", by=root)
    asked = make.a_request(account, actor=invited("puppet", by=between, groups=("finance-operator",)))
    with refused(Forbidden, MADE):
        approve(asked.pk, actor=root)
    other = make.a_ready_account(account.organization)
    edited(other, a_program(issuer=replace(between, roles=between.roles | {"finance-operator"})))
    request = make.a_request(other)
    with refused(Forbidden, "you changed the account since its last approval"):
        approve(request.pk, actor=root)


def test_nobody_decides_by_a_link_that_went_to_an_address_of_theirs(account: BillingAccount, root: Actor) -> None:
    person = make.a_person("approver", groups=("finance-approver",), email="approver@example.org")
    editor = make.a_person("editor", groups=("finance-operator",))
    with working(lambda: "user:editor"):
        person.email = "editor@example.org"
        person.save()
    person.first_name = "Somebody"
    person.save()
    request_link(person, actor=root)
    set_by_link(person, "correct horse battery")
    edited(account, actor_of(editor))
    request = make.a_request(account)
    with refused(Forbidden, "user:editor, who asks for this or has changed the account, made the credential"):
        approve(request.pk, actor=session_of(person))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and the clock is an hour slow from then on."""
    true = timezone.now
    return lambda: monkeypatch.setattr(timezone, "now", lambda: true() - timedelta(hours=1))


def test_the_last_maker_of_a_password_is_that_whatever_the_clocks_say(root: Actor, slow: Callable[[], None]) -> None:
    person = make.a_person("approver", email="approver@example.org")
    assert maker_of(person) == "system:shell"
    slow()
    request_link(person, actor=root)
    set_by_link(person, "correct horse battery")
    assert maker_of(person) == "user:root"


def test_whoever_gave_the_address_stands_behind_the_link_whatever_the_clocks_say(
    root: Actor, slow: Callable[[], None]
) -> None:
    person = make.a_person("approver", email="approver@example.org")
    with working(lambda: "user:editor"):
        person.email = "editor@example.org"
        person.save()
    slow()
    request_link(person, actor=root)
    assert "user:editor" in behind([("user:approver", "user:root")])


def test_a_link_that_was_used_meanwhile_sets_nothing(root: Actor) -> None:
    person = make.a_person("approver", email="approver@example.org")
    request_link(person, actor=root)
    set_by_link(person, "correct horse battery")
    with refused(Conflict, "used already"):
        set_by_link(person, "another horse battery")
