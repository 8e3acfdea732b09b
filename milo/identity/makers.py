"""Who stands behind a credential: its maker, who made the credential by which that one did so, and so on.

One person could else invite a second one, who invites a third one, and decide as the third what they asked for.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib.auth.models import User

from milo import audit
from milo.identity.actors import PERSON
from milo.identity.models import Identity, PasswordLink, ServiceToken

Acted = tuple[str, str]
"""The name of an actor, with that of the maker of their credential, or with nothing."""


def behind(acted: Iterable[Acted]) -> frozenset[str]:
    """Return the names of all who stand behind the credentials of `acted`, without those who have none."""
    known: set[Acted] = set()
    waiting = {pair for pair in acted if all(pair)}
    while waiting:
        known |= waiting
        waiting = {pair for name, maker in waiting for pair in _made(name, maker) if all(pair)} - known
    return frozenset(maker for _name, maker in known)


def _made(name: str, maker: str) -> Iterator[Acted]:
    """Yield by what credentials `maker` made those of `name`, and who set the address to which a link was sent."""
    username = name.removeprefix(PERSON)
    for model in (PasswordLink, ServiceToken, Identity):
        rows = _past(model).filter(user__username=username, history_type="+", history_user_id=maker)
        for credential_maker, at in rows.values_list("history_credential_maker", "history_date"):
            yield maker, credential_maker
            if model is PasswordLink:
                yield from _addressed(username, at)


def _addressed(username: str, at: datetime) -> Iterator[Acted]:
    """Yield who gave the user the e-mail address of the instant `at`, by whose credential, where it was another one."""
    columns = ("email", "history_user_id", "history_credential_maker")
    rows = _past(User).filter(username=username, history_date__lte=at).order_by("-history_id")
    nothing = ("", "", "")
    for (email, author, maker), (before, *_rest) in pairwise([*rows.values_list(*columns), nothing]):
        if email != before:
            yield author, maker
            if author != f"{PERSON}{username}":
                yield f"{PERSON}{username}", author
            return


def _past(model: Any) -> Any:
    return audit.histories()[model].model_of(model)._base_manager.all()
