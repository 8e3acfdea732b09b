"""Forms of actions act once: sent again by a double click, by Back or by a repeated confirmation, they do nothing more.

A form has a number from when it was opened. That it acted is stored in the transaction of its effect, as answers to
requests with an Idempotency-Key are.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest, HttpResponse

from milo import audit
from milo.access import Actor
from milo.kube.store import responses
from milo.kube.store.responses import KeyedRequest
from milo.kube.wire.idempotency import InProgress

T = TypeVar("T")
OPENED = "opened"
"""The field with the number of the form."""
WAIT_SECONDS, _PAUSE = 10.0, 0.1


class SentBefore(Exception):
    """The form has acted, or is acting."""


def sent_form(request: HttpRequest, actor: Actor) -> KeyedRequest | None:
    """Return the form that a request sends; None for one without a number."""
    number = request.POST.get(OPENED, "")
    return KeyedRequest(actor.name, f"POST {request.path}", number, b"") if number else None


def has_acted(form: KeyedRequest | None) -> bool:
    """Return whether the form has acted in the last 24 hours."""
    return form is not None and responses.is_recorded(form)


def once(form: KeyedRequest | None, act: Callable[[], T]) -> T:
    """Call `act` and store that the form has acted; what is refused may be sent again.

    Where the same form is acting, wait for what comes of that. Raises `SentBefore`.
    """
    if form is None:
        return audit.repeated(act)()
    ends = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with responses.lock_exclusive(form):
                return audit.repeated(_recorded)(form, act)
        except InProgress:
            if time.monotonic() > ends:
                raise SentBefore from None
            time.sleep(_PAUSE)


def _recorded(form: KeyedRequest, act: Callable[[], T]) -> T:
    with audit.transaction():
        if responses.find(form):
            raise SentBefore
        result = act()
        responses.record(form, HttpResponse(), revision="", organization_id=None)
        return result
