"""Users, platform roles and log-ins are sealed history with an author and a reason, by whichever door they change."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db.models import Model
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from milo import audit
from milo.identity.models import LogIn
from milo.ledger import seals
from milo.ledger.verification import verify
from tests.support import tamper
from tests.support.ledger import SUMMARY

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
LOG_IN = "/admin/login/"


def past(model: type[Model]) -> Any:
    return audit.histories()[model].model_of(model)._base_manager


def steps(user: User) -> list[tuple[str, str]]:
    return list(past(User).filter(id=user.pk).order_by("history_id").values_list("history_user_id", SUMMARY))


@pytest.fixture
def person() -> User:
    person = User.objects.create_user("robin", "robin@milo.example", PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="auditor"))
    return person


@pytest.fixture
def superuser() -> User:
    return User.objects.create_superuser("root", "root@milo.example", PASSWORD)


def test_every_change_of_a_user_says_who_and_what(person: User) -> None:
    for columns in ({"is_superuser": True}, {"is_staff": False, "is_superuser": False}, {"email": "r@milo.example"}):
        for name, value in columns.items():
            setattr(person, name, value)
        person.save()
    person.save()
    person.set_password("another password of mine")
    person.save()
    person.is_active = False
    person.save(update_fields=["is_active"])
    assert steps(person) == [
        ("system:shell", "UserCreated"),
        ("system:shell", "SuperuserGranted: is_superuser"),
        ("system:shell", "SuperuserRevoked: is_superuser, is_staff"),
        ("system:shell", "UserChanged: email"),
        ("system:shell", "PasswordSet"),
        ("system:shell", "UserDeactivated: is_active"),
    ]
    instants = list(past(User).filter(id=person.pk).order_by("history_id").values_list("history_date", flat=True))
    assert instants == sorted(set(instants))


def test_no_history_holds_a_password_in_any_form(person: User) -> None:
    for row in past(User).filter(id=person.pk).values():
        assert not any(str(value) in (person.password, PASSWORD) for value in row.values())
        assert "password" not in row
        assert not any("pbkdf2" in str(value) or PASSWORD in str(value) for value in row.values())


def test_platform_roles_are_history(person: User) -> None:
    approver, auditor = (Group.objects.get(name=name) for name in ("finance-approver", "auditor"))
    person.groups.set([approver])
    person.groups.set([approver])
    approver.user_set.remove(person)
    auditor.user_set.add(person)
    person.groups.clear()
    rows = past(User.groups.through).filter(user_id=person.pk).order_by("history_id")
    assert list(rows.values_list("history_type", SUMMARY)) == [
        ("+", "PlatformRoleGranted: auditor"),
        ("-", "PlatformRoleRevoked: auditor"),
        ("+", "PlatformRoleGranted: finance-approver"),
        ("-", "PlatformRoleRevoked: finance-approver"),
        ("+", "PlatformRoleGranted: auditor"),
        ("-", "PlatformRoleRevoked: auditor"),
    ]
    seals.seal()
    assert verify().faults == []


def test_on_the_staff_site_the_person_who_is_logged_in_is_the_author(person: User, superuser: User) -> None:
    client = Client()
    client.force_login(superuser)
    groups, page = [Group.objects.get(name="finance-approver").pk], f"/admin/auth/user/{person.pk}/change/"
    form = {"username": person.username, "email": person.email, "is_active": "on", "is_superuser": "on"}
    form["seen"] = client.get(page).context["adminform"].form.initial["seen"]
    answer = client.post(page, form | {"groups": groups})
    assert answer.status_code == 302, answer.content
    assert steps(person)[-1] == ("user:root", "SuperuserGranted: is_superuser, is_staff")
    granted = past(User.groups.through).filter(user_id=person.pk).latest("history_id")
    assert (granted.history_user_id, granted.history_summary) == (
        "user:root",
        "PlatformRoleGranted: finance-approver",
    )
    assert granted.history_request_id


def test_commands_of_django_are_recorded() -> None:
    call_command("createsuperuser", "--noinput", "--username", "chief", "--email", "chief@milo.example")
    assert steps(User.objects.get(username="chief")) == [("system:shell", "UserCreated")]


def test_an_authenticator_is_history_without_its_key_and_its_use_is_no_change(person: User) -> None:
    device = TOTPDevice.objects.create(user=person, name="authenticator")
    device.verify_token("000000")
    device.key = "ab" * 20
    device.save()
    device.delete()
    rows = past(TOTPDevice).order_by("history_id")
    assert list(rows.values_list("history_user_id", SUMMARY)) == [
        ("system:shell", "SecondFactorSetUp"),
        ("system:shell", "SecondFactorChanged: key"),
        ("system:shell", "TOTPDeviceDeleted"),
    ]
    assert [row.key_sha256 for row in rows][1:] == [hashlib.sha256(device.key.encode()).hexdigest()] * 2
    for row in rows.values():
        assert not any(device.key in str(value) for value in row.values())


def test_a_log_in_is_recorded_and_is_no_change_of_the_user(person: User, client: Client) -> None:
    answer = client.post(LOG_IN, {"username": "robin", "password": PASSWORD}, REMOTE_ADDR="192.0.2.77")
    assert answer.status_code == 302
    client.post("/admin/logout/")
    assert list(LogIn.objects.order_by("pk").values_list("name", "outcome", "address")) == [
        ("robin", "Succeeded", "192.0.2.0/24"),
        ("robin", "LoggedOut", "127.0.0.0/24"),
    ]
    assert [reason for _who, reason in steps(person)] == ["UserCreated"]


def test_failures_and_lockouts_are_recorded_without_what_was_typed(person: User, client: Client) -> None:
    client.post(LOG_IN, {"username": "a password", "password": "x"}, REMOTE_ADDR="2001:db8:1:2::7")
    for _ in range(6):
        client.post(LOG_IN, {"username": "robin", "password": "wrong"})
    kept = list(LogIn.objects.order_by("pk").values_list("name", "outcome", "address"))
    assert kept[0] == ("", "Failed", "2001:db8:1::/48")
    assert [outcome for name, outcome, _address in kept if name == "robin"].count("Failed") >= 5
    assert ("robin", "LockedOut", "127.0.0.0/24") in kept


def test_a_stronger_hash_of_the_same_password_is_told_apart(person: User, client: Client, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher", *settings.PASSWORD_HASHERS]
    assert client.post(LOG_IN, {"username": "robin", "password": PASSWORD}).status_code == 302
    assert steps(person)[-1] == ("system:authentication", "PasswordRehashed")


def through(user: User) -> Any:
    return User.groups.through.objects.filter(user=user)


TAMPERING: dict[str, Callable[[User], object]] = {
    "made superuser": lambda user: tamper.alter(user, is_superuser=True),
    "made staff": lambda user: tamper.alter(user, is_staff=False),
    "activated": lambda user: tamper.alter(user, is_active=False),
    "renamed": lambda user: tamper.alter(user, username="robinia"),
    "another address": lambda user: tamper.alter(user, email="x@milo.example"),
    "another password": lambda user: tamper.alter(user, password=make_password("mine")),
    "given a role": lambda user: User.groups.through.objects.bulk_create(
        [User.groups.through(user=user, group=Group.objects.get(name="finance-approver"))]
    ),
    "taken a role": lambda user: through(user)._raw_delete("default"),
    "another role": lambda user: through(user).update(group=Group.objects.get(name="finance-approver")),
    "roles renamed": lambda user: Group.objects.filter(name="auditor").update(name="finance-auditor"),
    "added": lambda user: User.objects.bulk_create([User(username="forged", is_superuser=True)]),
    "history altered": lambda user: past(User).filter(id=user.pk).update(history_user_id="user:nobody"),
    "another authenticator": lambda user: TOTPDevice.objects.update(key="ab" * 20),
    "authenticator removed": lambda user: TOTPDevice.objects.all()._raw_delete("default"),
    "authenticator added": lambda user: TOTPDevice.objects.bulk_create([TOTPDevice(user=user, key="cd" * 20)]),
    "authenticator of another": lambda user: TOTPDevice.objects.update(user=User.objects.create_user("other")),
    "log-in removed": lambda user: LogIn.objects.all()._raw_delete("default"),
    "log-in altered": lambda user: LogIn.objects.update(outcome="Failed"),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_what_was_done_to_people_is_found(name: str, person: User, client: Client) -> None:
    client.post(LOG_IN, {"username": "robin", "password": PASSWORD})
    TOTPDevice.objects.create(user=person, name="authenticator")
    seals.seal()
    assert verify().faults == []
    with tamper.guards_off():
        TAMPERING[name](person)
    assert verify().faults


def test_the_roles_there_are_were_made_by_migrate() -> None:
    for group in Group.objects.all():
        assert [row.history_user_id for row in past(Group).filter(id=group.pk)] == ["system:migrate"]
