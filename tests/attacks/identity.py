"""Attacks on who a subject of the identity provider stands for."""

from datetime import timedelta

from django.db.models import F

from milo.identity.identities import link
from tests import make
from tests.attacks.machinery import Attack, changes, replacements

ISSUER = "https://id.example"


class World:
    """Two people, each with an identity."""

    def __init__(self) -> None:
        self.stranger = make.a_person()
        self.identity, self.other = (
            link(make.a_person(), ISSUER, subject, why="first log-in", actor=make.PLATFORM) for subject in ("1", "2")
        )


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
}
