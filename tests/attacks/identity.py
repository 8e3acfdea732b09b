"""Attacks on who a subject of the identity provider stands for, who is a program, and who asked for a password."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F

from milo.identity.identities import link
from milo.identity.models import PasswordLink, SavedFilter, ServiceUser
from milo.identity.passwords import request_link, set_by_link
from milo.identity.service_users import create_service_user
from milo.identity.tokens import revoke_token
from tests.attacks.machinery import A_KEY, SQLITE, Attack, changes, execute, replacements
from tests.support import make

ISSUER = "https://id.example"


class World:
    """Two people, each with an identity."""

    def __init__(self) -> None:
        self.stranger = make.a_person()
        self.identity, self.other = (
            link(make.a_person(), ISSUER, subject, why="first log-in", actor=make.PLATFORM) for subject in ("1", "2")
        )
        self.robot = create_service_user("robot", actor=make.PLATFORM)
        person = make.a_person(email="person@example.org")
        request_link(person, actor=make.PLATFORM)
        set_by_link(person, "correct horse battery")
        self.link = PasswordLink.objects.get()
        self.token, self.revoked = (make.a_token(person)[0] for _ in range(2))
        revoke_token(self.revoked.pk, actor=make.PLATFORM)
        self.filter = SavedFilter.objects.create(person=person, page="auth.user", name="mine", query="q=a")
        # PostgreSQL truncates no table whose deferred checks are still to come
        connection.check_constraints()


def change(set_to: str, table: str) -> Attack:
    return Attack(lambda w: execute(f"UPDATE {table} SET {set_to}"))


def let_in(**columns: Any) -> Attack:
    return Attack(lambda w: User.objects.filter(pk=w.robot.pk).update(**columns))


def again(table: str, key: str) -> Attack:
    """INSERT OR REPLACE each row by itself; PostgreSQL knows plain INSERT alone."""
    verb = "INSERT OR REPLACE" if connection.vendor == SQLITE else "INSERT"
    return Attack(lambda w: execute(f"{verb} INTO {table} SELECT * FROM {table} WHERE {key} > 0"), says=A_KEY)


def gone(table: str) -> list[Attack]:
    every = f"DELETE FROM {table}" if connection.vendor == SQLITE else f"TRUNCATE {table} CASCADE"
    return [Attack(lambda w: execute(f"DELETE FROM {table}")), Attack(lambda w: execute(every))]


ATTACKS: dict[str, list[Attack]] = {
    "identity_fixed": changes(
        "identity",
        id=1_000_000,
        user=lambda w: w.stranger,
        issuer="https://elsewhere.example",
        subject="3",
        created_at=F("created_at") - timedelta(hours=1),
    ),
    "identity_never_replaced": replacements("identity", ("id",), ("issuer", "subject")),
    "token_fixed": changes(
        "token",
        id=1_000_000,
        user=lambda w: w.stranger,
        hint="milo_forged",
        digest="0" * 64,
        created_at=F("created_at") - timedelta(hours=1),
        scopes=["projects"],
        expires_at=F("expires_at") + timedelta(days=365),
    ),
    "token_revoked_once": changes("revoked", revoked_at=None),
    "token_never_deleted": gone("identity_servicetoken"),
    "token_never_replaced": replacements("token", ("id",), ("digest",)),
    "service_user_fixed": [change("user_id = (SELECT max(id) FROM auth_user)", "identity_serviceuser")],
    "service_user_never_deleted": gone("identity_serviceuser"),
    "service_user_never_replaced": [again("identity_serviceuser", "user_id")],
    "service_user_never_logs_in": [
        let_in(is_staff=True),
        let_in(is_superuser=True),
        let_in(password="md5$a$b"),
    ],
    "service_user_made_of_nobody": [
        Attack(lambda w: ServiceUser.objects.bulk_create([ServiceUser(user=w.link.user)])),
    ],
    "saved_filter_fixed": changes(
        "filter", id=1_000_000, person=lambda w: w.stranger, page="auth.group", name="theirs", query="q=b"
    ),
    "saved_filter_never_replaced": replacements("filter", ("id",), ("person_id", "page", "name")),
    "password_link_fixed": changes(
        "link",
        id=1_000_000,
        user=lambda w: w.stranger,
        requested_by="user:nobody",
        requested_at=F("requested_at") - timedelta(hours=1),
    ),
    "password_link_used_once": changes("link", used_at=None),
    "password_link_never_deleted": gone("identity_passwordlink"),
    "password_link_never_replaced": [again("identity_passwordlink", "id")],
}
