"""The makers of credentials: who created a credential, who created the one used for that, and so on.

The four-eyes rules need the whole chain. Otherwise one person could invite a second one, invite a third one as the
second, and approve as the third what they requested themselves.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Value

from milo import audit
from milo.identity.actors import PERSON
from milo.identity.models import Identity, PasswordLink, ServiceToken

Acted = tuple[str, str]
"""(actor, maker of the actor's credential): names of actors. The maker is "" if there is none."""


def behind(acted: Iterable[Acted]) -> frozenset[str]:
    """Return the names of all makers behind the credentials in `acted`.

    Follows the histories of credentials from maker to maker until no new pair appears. A pair without a maker ends a
    chain.
    """
    known: set[Acted] = set()
    waiting = {pair for pair in acted if all(pair)}
    while waiting:
        known |= waiting
        waiting = {pair for name, maker in waiting for pair in _made(name, maker) if all(pair)} - known
    return frozenset(maker for _name, maker in known)


def _made(name: str, maker: str) -> Iterator[Acted]:
    """Yield, for each credential of `name` that `maker` created, `maker` with the maker of the credential it used.

    For a password link also yield who set the e-mail address that it was sent to: they could have used the link.
    """
    username = name.removeprefix(PERSON)
    one, *others = (
        _past(model)
        .filter(user__username=username, history_type="+", history_user_id=maker)
        .order_by()
        .values_list("history_credential_maker", "history_date", Value(model is PasswordLink))
        for model in (PasswordLink, ServiceToken, Identity)
    )
    for credential_maker, at, is_link in one.union(*others):
        yield maker, credential_maker
        if is_link:
            yield from _addressed(username, at)


def _addressed(username: str, at: datetime) -> Iterator[Acted]:
    """Yield who set the e-mail address that the user had at the instant `at`, and with whose credential.

    If that was another user than the owner, yield them as a maker too.
    """
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
