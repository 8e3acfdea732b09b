"""Passwords that an operator sets on the shell: they are of that operator, and the person is told."""

import io
from typing import Any

import pytest
from django.contrib.auth.management.commands import changepassword, createsuperuser
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import call_command
from django.test import RequestFactory

from billing.services.approvals import decisions
from milo.admin.actors import request_actor
from milo.audit.authors import working
from milo.identity.models import PasswordLink
from milo.identity.passwords import maker_of, request_link, set_by_link
from tests.support import make

pytestmark = pytest.mark.django_db
PASSWORD = "a password of the shell"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator types the password twice."""
    for command in (changepassword, createsuperuser):
        monkeypatch.setattr(command.getpass, "getpass", lambda prompt="": PASSWORD)


@pytest.fixture
def person() -> User:
    """A person who has set their own password by a link that `user:inviter` requested."""
    user: User = User.objects.create(username="approver", email="approver@example.org", is_staff=True)
    user.set_unusable_password()
    user.save()
    actor = make.an_actor(name="inviter", groups=("platform-admin",))
    request_link(user, actor=actor)
    set_by_link(user, "correct horse battery")
    return user


def by_shell(user: User) -> None:
    call_command("changepassword", user.username, stdout=io.StringIO())
    user.refresh_from_db()


def test_a_password_set_by_a_command_is_of_the_shell_and_the_person_is_told(
    person: User, typed: None, django_capture_on_commit_callbacks: Any
) -> None:
    assert maker_of(person) == "user:inviter"
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        by_shell(person)
    assert maker_of(person) == "system:shell"
    assert person.check_password(PASSWORD)
    [told] = mail.outbox
    assert told.to == ["approver@example.org"]
    newest = person.history.latest("history_id")  # type: ignore[attr-defined]
    assert (newest.history_user_id, newest.history_change_reason) == ("system:shell", "PasswordSet")


def test_it_stays_of_the_shell_where_the_password_is_changed_by_whoever_knows_it(person: User, typed: None) -> None:
    by_shell(person)
    with working(lambda: f"user:{person.username}"):
        person.set_password("another horse battery")
        person.save()
    newest = person.history.latest("history_id")  # type: ignore[attr-defined]
    assert (newest.history_user_id, newest.history_change_reason) == ("user:approver", "PasswordSet")
    assert maker_of(person) == "system:shell"


def test_a_link_that_is_used_later_makes_it_of_whoever_requested_it(person: User, typed: None) -> None:
    by_shell(person)
    request_link(person, actor=make.an_actor(name="another", groups=("platform-admin",)))
    assert PasswordLink.objects.filter(used_at=None).count() == 1
    assert maker_of(person) == "system:shell"
    set_by_link(person, "correct horse battery")
    assert maker_of(person) == "user:another"


def test_a_superuser_of_the_command_is_of_the_shell(typed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--username", "chief", "--email", "chief@milo.example")
    assert maker_of(User.objects.get(username="chief")) == "system:shell"


def test_decisions_by_such_a_password_say_so_in_the_history(person: User, typed: None, rf: RequestFactory) -> None:
    person.groups.add(*make.a_person(groups=("finance-approver",)).groups.all())
    request = make.a_request(make.a_ready_account(make.an_organization()))
    by_shell(person)
    asked: Any = rf.post("/")
    asked.user, asked.session = person, {}
    decisions.reject(request.pk, comment="no", actor=request_actor(asked))
    newest = request.history.latest("history_id")
    assert (newest.history_user_id, newest.history_credential_maker) == ("user:approver", "system:shell")
