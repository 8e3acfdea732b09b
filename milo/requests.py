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
"""How ids begin that a client chose: none of them looks like the id of a background task."""
SCOPE_KEY = "milo.request_id"
_ACCEPTED = re.compile(rf"[A-Za-z0-9._:-]{{1,{64 - len(CLIENTS)}}}", re.ASCII)

log = logging.getLogger(__name__)


def request_id_for(header: str) -> str:
    """Return the id to keep for a request whose client sent this X-Request-ID.

    The client's own with a prefix, where it is 1 to 57 letters, digits, dots, colons, dashes or underscores, without a
    card number; else a new UUID.
    """
    if _ACCEPTED.fullmatch(header) and not card_numbers.found_in(header):
        return f"{CLIENTS}{header}"
    return str(uuid.uuid4())


class RequestIdMiddleware:
    """Gives each request an id, answers with it, and logs a line that has it.

    So a row of the history leads to the lines of a log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        # the server has named it already, where one is before Django
        name = getattr(request, "scope", {}).get(SCOPE_KEY) or request_id_for(request.headers.get(HEADER, ""))
        with asked_by(name):
            response = self.get_response(request)
            response[HEADER] = name
            milliseconds = (time.monotonic() - began) * 1000
            log.info("%s %s %d %.0f ms", request.method, _logged_path(request), response.status_code, milliseconds)
        return response


def _logged_path(request: HttpRequest) -> str:
    """The path of a request without its query; `-` where it is no address of ours, and could be anything."""
    if (match := request.resolver_match) is None:
        return "-"
    path = request.path
    return match.route if card_numbers.found_in(path) or not path.isprintable() else path
