"""The id of a request, and its line in the log."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from milo import card_numbers
from milo.provenance import asked_by

HEADER = "X-Request-ID"
CLIENTS = "client:"
"""Prefix of ids chosen by clients, so that none looks like the id of a background task."""
SCOPE_KEY = "milo.request_id"
_ACCEPTED = re.compile(rf"[A-Za-z0-9._:-]{{1,{64 - len(CLIENTS)}}}", re.ASCII)

log = logging.getLogger(__name__)


def request_id_for(header: str) -> str:
    """Return the id of a request whose client sent `header` as X-Request-ID.

    It is the client's with the prefix `client:`, if that is 1 to 57 letters, digits, dots, colons, dashes or
    underscores without a card number; otherwise a new UUID.
    """
    if _ACCEPTED.fullmatch(header) and not card_numbers.found_in(header):
        return f"{CLIENTS}{header}"
    return str(uuid.uuid4())


class RequestIdMiddleware:
    """Assigns an id to each request, returns it in the answer, and logs a line with it.

    The id connects rows of the history with lines of the log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        # under ASGI, `milo.faults` has assigned it already
        name = getattr(request, "scope", {}).get(SCOPE_KEY) or request_id_for(request.headers.get(HEADER, ""))
        with asked_by(name):
            response = self.get_response(request)
            response[HEADER] = name
            milliseconds = (time.monotonic() - began) * 1000
            log.info("%s %s %d %.0f ms", request.method, _logged_path(request), response.status_code, milliseconds)
        return response


def _logged_path(request: HttpRequest) -> str:
    """Return the path of a request without its query; `-` for a path without a route, which could be any text."""
    if (match := request.resolver_match) is None:
        return "-"
    path = request.path
    return match.route if card_numbers.found_in(path) or not path.isprintable() else path
