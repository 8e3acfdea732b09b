"""Credentials of others: nobody has the token of another person, and none of them decides what its maker asks for."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from billing.api.kinds import BillingAccountKind
from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.decisions import reject
from milo.access import Actor
from milo.errors import AlreadyExists, Forbidden, Invalid
from milo.identity.actors import actor_of
from milo.identity.identities import link, linker_of
from milo.identity.models import ServiceUser
from milo.identity.service_users import create_service_user
from milo.identity.tokens import admit, issue_token, revoke_token
from tests.support import make
from tests.support.ledger import refused
from tests.support.make import approve

pytestmark = pytest.mark.django_db
CUSTOMER = Actor("user:customer")
ADMIN = Actor("user:admin", frozenset({"platform-admin"}))


@pytest.fixture
def robot() -> User:
    return create_service_user("robot", description="reports charges", actor=ADMIN).user


def admitted(secret: str) -> Actor:
    found = admit(secret)
    assert found
    return found[1]


def test_nobody_issues_a_token_for_another_person_whatever_their_rights(account: BillingAccount) -> None:
    person = make.a_person("approver", groups=("finance-approver",))
    root = actor_of(make.a_person(is_superuser=True, is_staff=True))
    for actor in (ADMIN, root, make.PLATFORM):
        with refused(Forbidden, "approver is a person, who issues their own tokens"):
            issue_token(person, actor=actor)
    with refused(Forbidden):
        issue_token(person, actor=make.REQUESTER)
    with pytest.raises(CommandError, match="approver is a person"):
        call_command("token", "issue", "approver")


def test_everybody_issues_and_revokes_their_own_and_is_told_by_mail(
    django_capture_on_commit_callbacks: Any,
) -> None:
    person = make.a_person("viewer", email="viewer@example.org")
    with django_capture_on_commit_callbacks(execute=True):
        token, secret = issue_token(person, description="my laptop", actor=actor_of(person))
    assert admitted(secret).name == "user:viewer"
    [told] = mail.outbox
    assert told.to == ["viewer@example.org"]
    assert "my laptop" in told.body
    assert secret not in told.body
    with refused(Forbidden):
        revoke_token(token.pk, actor=make.REQUESTER)
    revoke_token(token.pk, actor=actor_of(person))
    assert admit(secret) is None


def test_a_token_of_a_service_user_has_no_right_that_its_issuer_lacks(robot: User, account: BillingAccount) -> None:
    issue_token(robot, actor=ADMIN)
    robot.groups.add(*make.a_person(groups=("charge-reporter",)).groups.all())
    with refused(Forbidden, "robot has roles that you lack: charge-reporter"):
        issue_token(robot, actor=ADMIN)
    both = Actor(ADMIN.name, ADMIN.roles | {"charge-reporter"})
    assert admitted(issue_token(robot, actor=both)[1]).roles == {"charge-reporter"}


def test_a_service_user_decides_nothing(robot: User, account: BillingAccount) -> None:
    robot.groups.add(*make.a_person(groups=("finance-approver",)).groups.all())
    actor = admitted(issue_token(robot, actor=make.PLATFORM)[1])
    request = make.a_request(account)
    with refused(Forbidden, "user:robot is a service user"):
        approve(request.pk, actor=actor)
    with refused(Forbidden, "user:robot is a service user"):
        reject(request.pk, comment="no", actor=actor)


@pytest.mark.parametrize("name", ["\u0430pprover", "APPROVER", "\uff41pprover", "appr0ver", "approver\u0301\u034f"])
def test_a_service_user_looks_like_nobody_there_is(name: str) -> None:
    make.a_person("approver")
    with refused(Invalid):
        create_service_user(name, actor=ADMIN)


def test_a_person_does_not_become_a_service_user_nor_a_service_user_a_person(robot: User) -> None:
    person = make.a_person("somebody")
    with refused(AlreadyExists):
        create_service_user("somebody", actor=ADMIN)
    with refused(Invalid):
        create_service_user("no name at all", actor=ADMIN)
    with refused(Forbidden):
        create_service_user("another", actor=make.APPROVER)
    with pytest.raises(IntegrityError, match="service_user_made_of_nobody"), transaction.atomic():
        ServiceUser.objects.bulk_create([ServiceUser(user=person)])
    changes: list[dict[str, Any]] = [{"is_staff": True}, {"is_superuser": True}, {"password": "md5$x$y"}]
    for change in changes:
        with pytest.raises(IntegrityError, match="service_user_never_logs_in"), transaction.atomic():
            User.objects.filter(pk=robot.pk).update(**change)


@pytest.mark.parametrize("maker", ["requester", "editor"])
def test_a_decision_is_refused_to_a_credential_that_requester_or_editor_made(
    account: BillingAccount, maker: str
) -> None:
    editor = Actor("user:editor", frozenset({"finance-operator"}))
    revise(account.pk, AccountSpec("Renamed", "USD", make.TERMS, make.CARD), actor=editor)
    request: ApprovalRequest = make.a_request(account)
    puppet = Actor(make.APPROVER.name, make.APPROVER.roles, credential="token:1", maker=f"user:{maker}")
    with refused(Forbidden, f"user:{maker}, who asks for this or has changed the account, made the credential"):
        approve(request.pk, actor=puppet)
    with refused(Forbidden, "made the credential"):
        reject(request.pk, comment="no", actor=puppet)
    free = Actor(make.APPROVER.name, make.APPROVER.roles, credential="token:1", maker="user:somebody-else")
    assert approve(request.pk, actor=free).phase == "Approved"


def test_a_token_issued_by_a_credential_that_another_made_is_of_that_maker_too() -> None:
    person = make.a_person("approver", groups=("finance-approver",))
    acting = actor_of(person)
    puppet = Actor(acting.name, acting.roles, credential="session", maker="user:requester")
    assert admitted(issue_token(person, actor=puppet)[1]).maker == "user:requester"
    assert admitted(issue_token(person, actor=acting)[1]).maker == ""


def test_the_token_stands_in_the_history_row(robot: User, account: BillingAccount) -> None:
    robot.groups.add(*make.a_person(groups=("finance-operator",)).groups.all())
    operator = Actor(ADMIN.name, ADMIN.roles | {"finance-operator"})
    token, secret = issue_token(robot, actor=operator)
    revise(account.pk, AccountSpec("Renamed", "USD", make.TERMS, make.CARD), actor=admitted(secret))
    newest = account.history.latest("history_id")
    assert (newest.history_user_id, newest.history_credential, newest.history_credential_maker) == (
        "user:robot",
        f"token:{token.pk}",
        ADMIN.name,
    )
    history = next(reading for reading in BillingAccountKind.read_subresources if reading.name == "history")
    for reader, shown in ((Actor("user:auditor", frozenset({"auditor"})), f"token:{token.pk}"), (CUSTOMER, None)):
        newest_event = history.call(account, {}, actor=reader)["items"][0]
        assert newest_event.get("credential") == shown
        assert newest_event.get("credentialMaker") == (shown and ADMIN.name)


def test_an_identity_is_of_whoever_linked_it() -> None:
    linked = link(make.a_person(), "https://id.example", "1234", why="first log-in", actor=ADMIN)
    assert linker_of(linked) == ADMIN.name
