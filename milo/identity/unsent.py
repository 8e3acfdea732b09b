"""What was typed into a form whose session had ended: kept for the same person, who logs in again, for a while.

It is kept in the session of the browser that sent the form, without card numbers. Nothing acts by it: the page shows
it again. Only pages that do so have it kept (`ServiceAction.takes_unsent`); none of them asks for a password.
"""

from collections.abc import Collection
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from milo import card_numbers

KEPT_FOR_SECONDS = 3600
_UNSENT = "milo_unsent"
# what has been decided by a button is decided anew; the token belonged to the session
_NOT_KEPT = ("csrfmiddlewaretoken", "confirm", "opened")


def note_person(request: HttpRequest) -> None:
    """Note in the request whose session is about to end."""
    request.was_of = request.session[SESSION_KEY]  # type: ignore[attr-defined]


def keep(request: HttpRequest, lines: Collection[str]) -> None:
    """Keep what a form of its own page says, if the session of its person ended with this request.

    `lines` names its fields that have a value on each line: they are masked line by line.
    """
    person = getattr(request, "was_of", None)
    if person is None or request.method != "POST":
        return
    values = {
        name: list(map(card_numbers.masked_lines if name in lines else card_numbers.masked, values))
        for name, values in request.POST.lists()
        if name not in _NOT_KEPT
    }
    request.session[_UNSENT] = {"person": person, "page": request.path, "at": _now(), "values": values}
    request.session.set_expiry(KEPT_FOR_SECONDS)


def take(request: HttpRequest) -> QueryDict | None:
    """Return what was kept for this page, once; None if there is nothing."""
    unsent = request.session.get(_UNSENT)
    if not unsent or unsent["page"] != request.path:
        return None
    del request.session[_UNSENT]
    values = QueryDict(mutable=True)
    for name, texts in unsent["values"].items():
        values.setlist(name, texts)
    return values


def forget_old(session: SessionBase) -> None:
    """Forget what has been kept for `KEPT_FOR_SECONDS`."""
    if (unsent := session.get(_UNSENT)) and unsent["at"] < _now() - KEPT_FOR_SECONDS:
        del session[_UNSENT]
        session.set_expiry(None)


def _forget_that_of_others(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Keep nothing of one person for another. Receiver of `user_logged_in`."""
    if unsent := request.session.get(_UNSENT):
        request.session.set_expiry(None)
        if unsent["person"] != str(user.pk):
            del request.session[_UNSENT]


def _now() -> float:
    return timezone.now().timestamp()


user_logged_in.connect(_forget_that_of_others, dispatch_uid="milo.identity.unsent")
