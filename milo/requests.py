"""The id of a request, its place in a trace, and its line in the log."""

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch

from milo import card_numbers, traces
from milo.provenance import asked_by

HEADER = "X-Request-ID"
CLIENTS = "client:"
"""Prefix of ids chosen by clients, so that none looks like the id of a background task."""
SCOPE_KEY = "milo.request"
PROBES = ("/livez", "/readyz", "/healthz", "/metrics")
"""Addresses without a line in the log: they are asked every few seconds."""
_ACCEPTED = re.compile(rf"[A-Za-z0-9._:-]{{1,{64 - len(CLIENTS)}}}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ID = re.compile(r"[0-9]{1,19}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>", re.ASCII)
# with any other status, name and namespace may be any text, which names no object
_OBJECT_EXISTS = frozenset({403, 409, 422})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

log = structlog.get_logger(__name__)


def request_id_for(header: str) -> str:
    """Return the id of a request whose client sent `header` as X-Request-ID.

    It is the client's with the prefix `client:`, if that is 1 to 57 letters, digits, dots, colons, dashes or
    underscores without a card number; otherwise a new UUID.
    """
    if _ACCEPTED.fullmatch(header) and not card_numbers.found_in(header):
        return f"{CLIENTS}{header}"
    return str(uuid.uuid4())


class RequestLine:
    """The line of one request, which is written once. `request_id` is its id."""

    def __init__(self, method: str, request_id: str) -> None:
        self.request_id = request_id
        self.written = False
        self.method = method if method in _METHODS else "_OTHER"
        self._began = time.monotonic()

    def write(self, status: int, facts: MutableMapping[str, Any] | None = None) -> None:
        """Log the answer with this status: what was done to which object, by whom, with which outcome, how long."""
        if self.written:
            return
        self.written = True
        facts = {"method": self.method, **(facts or {}), "status": status, "outcome": outcome(status)}
        if step := traces.current():
            step.attributes.update(_attributes(facts))
        log.info("request", **facts, duration_seconds=round(time.monotonic() - self._began, 6))


def outcome(status: int) -> str:
    """Return `success`, `refused` (4xx), or `failed` (5xx)."""
    return "success" if status < 400 else "refused" if status < 500 else "failed"


@contextmanager
def request_line(method: str, path: str, headers: Mapping[str, str]) -> Iterator[RequestLine]:
    """Give log lines and history rows inside the id of a request and its place in the trace of its client."""
    line = RequestLine(method, request_id_for(headers.get(HEADER, "")))
    kind = "probe" if path in PROBES else "server"
    state = headers.get(traces.STATE_HEADER, "")
    # rows keep it, and none has a card number
    state = "" if card_numbers.found_in(state) else state
    # the method may be any text
    with traces.span(line.method, headers.get(traces.HEADER, ""), state, kind=kind), asked_by(line.request_id):
        yield line


class RequestIdMiddleware:
    """Assigns an id to each request, returns it in the answer, and logs a line with it.

    The id connects rows of the history with lines of the log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # under ASGI, `milo.faults` has begun it already
        if line := getattr(request, "scope", {}).get(SCOPE_KEY):
            return self._respond(request, line)
        with request_line(request.method or "", request.path, request.headers) as line:
            return self._respond(request, line)

    def _respond(self, request: HttpRequest, line: RequestLine) -> HttpResponseBase:
        response = self.get_response(request)
        response[HEADER] = line.request_id
        if request.path not in PROBES:
            line.write(response.status_code, _facts(request, response))
        return response


def _facts(request: HttpRequest, response: HttpResponseBase) -> dict[str, Any]:
    """Return what the line says of a request: nothing that its client may have chosen freely."""
    facts: dict[str, Any] = {"route": "-"}
    match = request.resolver_match
    if match is not None:
        facts = {"route": f"/{match.route}", **_action(match, request.method or "", watch=response.streaming)}
        if response.status_code < 400 or response.status_code in _OBJECT_EXISTS:
            facts |= _object(match)
    facts |= {"actor": _actor(request), "credential": getattr(getattr(request, "auth", None), "credential", "")}
    # the reason of a refusal, as in its Status
    facts["reason"] = getattr(response, "status_reason", "")
    return {name: value for name, value in facts.items() if value}


def _action(match: ResolverMatch, method: str, *, watch: bool) -> dict[str, str]:
    resource, subresource, of_one = _resource(match.route)
    if not resource:
        return {"action": match.view_name or ""}
    verb = _VERBS.get(method, "")
    if verb == "get" and not of_one:
        verb = "watch" if watch else "list"
    return {"resource": resource, "action": subresource or verb}


@lru_cache(maxsize=1000)
def _resource(route: str) -> tuple[str, str, bool]:
    """Return resource, subresource, and whether the route is of one object; empty for routes outside the API."""
    parts = route.strip("/").split("/")
    if parts[0] not in ("api", "apis") or len(parts) < 3:
        return "", "", False
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    of_one = len(rest) > 1 and bool(_PARAMETER.fullmatch(rest[1]))
    return (rest[0] if rest else ""), "/".join(rest[2 if of_one else 1 :]), of_one


def _object(match: ResolverMatch) -> dict[str, str]:
    namespace, name = (str(match.kwargs.get(each, "")) for each in ("namespace", "name"))
    if match.route == "api/v1/namespaces/<str:name>":
        namespace = name
    known = {"organization": namespace, "name": name}
    facts = {key: text for key, text in known.items() if _LABEL.fullmatch(text) and not card_numbers.found_in(text)}
    if _ID.fullmatch(str(match.kwargs.get("object_id", ""))):
        facts["object_id"] = str(match.kwargs["object_id"])
    return facts


def _actor(request: HttpRequest) -> str:
    """Return `user:` and the primary key of the person; user names may be e-mail addresses."""
    # a person of the staff site, if the session was read: that takes a query
    user = getattr(request, "user", None) if hasattr(request, "auth") else getattr(request, "_cached_user", None)
    return f"user:{user.pk}" if user is not None and user.pk else ""


def _attributes(facts: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return attributes of a span by https://opentelemetry.io/docs/specs/semconv/http/http-spans/"""
    standard = {"method": "http.request.method", "route": "http.route", "status": "http.response.status_code"}
    return {standard.get(name, f"milo.{name}"): value for name, value in facts.items()}
