"""Errors as Kubernetes Status objects: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import orjson
import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions

from milo import bare_pages, card_numbers, outages
from milo.card_numbers import excerpt
from milo.errors import Cause, Refused
from milo.metrics import counted
from milo.provenance import request_id
from milo.races import is_race, refused_by

log = structlog.get_logger(__name__)
CODES = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "RequestTimeout": 408,
    "Conflict": 409,
    "AlreadyExists": 409,
    "Expired": 410,
    "PreconditionFailed": 412,
    "RequestEntityTooLarge": 413,
    "UnsupportedMediaType": 415,
    "Invalid": 422,
    "TooManyRequests": 429,
    "InternalError": 500,
    "ServiceUnavailable": 503,
    "Timeout": 504,
}
CAUSES_SHOWN = 50
_REASONS = {code: reason for reason, code in reversed(CODES.items())}
API_PREFIXES = ("/api", "/openapi", "/version")


class UnsupportedMediaType(Refused):
    """The media type of the body, or a directive in it, is not supported."""

    reason = "UnsupportedMediaType"


class NotAcceptable(Refused):
    """None of the accepted media types is supported."""

    reason = "NotAcceptable"


class MethodNotAllowed(Refused):
    """The object exists but does not support the method."""

    reason = "MethodNotAllowed"


class RequestEntityTooLarge(Refused):
    """The body exceeds its limit."""

    reason = "RequestEntityTooLarge"


class PreconditionFailed(Refused):
    """If-Match or If-None-Match does not hold."""

    reason = "PreconditionFailed"


class UnsupportedContentCoding(UnsupportedMediaType):
    """The Content-Encoding of the body is not supported. `known` are the supported ones."""

    def __init__(self, encoding: str, known: Iterable[str]) -> None:
        accepted = ", ".join(known)
        message = _("a body of Content-Encoding %(encoding)s is not understood; use %(known)s")
        super().__init__(message % {"encoding": excerpt(encoding, 80), "known": accepted})
        # RFC 9110, 12.5.3: tells the client that the encoding, not the media type, is at fault
        self.headers = {"Accept-Encoding": accepted}


class Expired(Refused):
    """The resourceVersion or continue token is older than the change log.

    `token` continues an expired list at the newest revision: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
    """

    reason = "Expired"

    def __init__(self, message: str, token: str = "") -> None:
        super().__init__(message)
        self.metadata = {"continue": token} if token else {}


class TooLargeResourceVersion(Refused):
    """The resourceVersion is greater than the newest revision."""

    reason = "Timeout"
    retry_after_seconds = 1

    def __init__(self, version: int, current: int) -> None:
        cause = Cause("", "Too large resource version", "ResourceVersionTooLarge")
        super().__init__(f"Timeout: Too large resource version: {version}, current: {current}", [cause])


def failure(
    reason: str,
    message: str,
    *,
    causes: Iterable[Cause] = (),
    details: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    rule: str = "",
) -> dict[str, Any]:
    """Return the Status of a failed request, and count the refusal in the metrics.

    `rule` is the id of the rule that was broken, where no cause has one.
    """
    listed = list(causes)
    counted.count_refusal(reason, listed, rule)
    return describe_failure(reason, message, causes=listed, details=details, metadata=metadata)


def describe_failure(
    reason: str,
    message: str,
    *,
    causes: Iterable[Cause] = (),
    details: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a Status of failure. `details` may hold name, group, kind and uid.

    Card numbers are masked, because messages repeat what the client sent (names, paths, unknown fields).
    """
    full = {name: card_numbers.masked(it) if isinstance(it, str) else it for name, it in (details or {}).items()}
    if listed := [_shown(cause) for cause in causes]:
        full["causes"] = listed
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": metadata or {},
        "status": "Failure",
        "message": card_numbers.masked(message),
        "reason": reason,
        **({"details": full} if full else {}),
        "code": CODES[reason],
    }


def _shown(cause: Cause) -> dict[str, str]:
    field = {"field": card_numbers.masked(cause.field)} if cause.field else {}
    return {"reason": cause.reason, "message": card_numbers.masked(cause.message), **field}


def headers_of(refused: Refused) -> dict[str, str]:
    """Return the headers that a refusal has besides its Status."""
    retry = {"Retry-After": str(refused.retry_after_seconds)} if refused.retry_after_seconds else {}
    return {**retry, **getattr(refused, "headers", {})}


def respond(status: dict[str, Any], headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return the Status as an HTTP response that is not cached."""
    response = HttpResponse(
        orjson.dumps(status),
        content_type="application/json",
        status=status["code"],
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
    # for the line of the request in the log
    response.status_reason = status["reason"]  # type: ignore[attr-defined]
    if status["code"] == CODES["Unauthorized"]:
        response["WWW-Authenticate"] = "Bearer"
    return response


async def send_status(
    send: Callable[[dict[str, Any]], Awaitable[None]], status: dict[str, Any], more: Mapping[str, str] | None = None
) -> None:
    """Answer with the Status at the ASGI level, and close the connection, since the rest of the body stays unread."""
    body = orjson.dumps(status)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *((name.lower().encode(), value.encode()) for name, value in (more or {}).items()),
    ]
    await send({"type": "http.response.start", "status": status["code"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


def of_refusal(refused: Refused, details: dict[str, Any]) -> dict[str, Any]:
    """Return the Status of a domain refusal with its first 50 causes.

    For Invalid, kubectl prints the causes and not the message, so a refusal without causes gets one that repeats the
    message. For Conflict, it prints the message only, so the message repeats the causes; conflicts of server-side
    apply already list theirs.
    """
    causes = refused.causes[:CAUSES_SHOWN]
    message = refused.message
    invalid = refused.reason == "Invalid"
    if invalid or (refused.reason == "Conflict" and not any(it.reason == "FieldManagerConflict" for it in causes)):
        message = str(Refused(refused.message, causes))
    if invalid:
        causes = causes or (Cause("status", refused.message),)
        if "name" in details:
            kind = f"{details['kind']}.{details.get('group', '')}".rstrip(".")
            message = f'{kind} "{details["name"]}" is invalid: {message}'
    if refused.retry_after_seconds:
        details = {**details, "retryAfterSeconds": refused.retry_after_seconds}
    return failure(refused.reason, message, causes=causes, details=details, metadata=getattr(refused, "metadata", None))


def internal_error() -> str:
    """Return the message of a 500. It names the request id by which the traceback is found in the log."""
    return _("an internal error occurred; the log tells more of it by the request id %(id)s") % {"id": request_id()}


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Convert any exception of a view to a Status. DRF's EXCEPTION_HANDLER.

    An unexpected exception is logged with its traceback and answered with a 500 that contains no details.
    """
    details: dict[str, Any] = getattr(context.get("view"), "details", dict)()
    if isinstance(error, Refused):
        return respond(of_refusal(error, details), headers_of(error))
    if isinstance(error, exceptions.APIException):
        return _of_drf(error, details)
    if isinstance(error, Http404):
        return respond(failure("NotFound", _("the server could not find the requested resource"), details=details))
    if isinstance(error, RequestDataTooBig):
        return respond(failure("RequestEntityTooLarge", _("the request body is too large"), details=details))
    if isinstance(error, SuspiciousOperation):
        return respond(failure("BadRequest", _("the request is not acceptable: %(why)s") % {"why": error}))
    if isinstance(error, DatabaseError) and is_race(error):
        # when repeated, the request succeeds or meets the service's own refusal
        log.warning("race_lost", error=error)
        message = _("another change was made at the same time; please try again")
        return respond(failure("Conflict", message, details=details, rule=refused_by(error)))
    if outage := outages.refusal(error):
        return respond(of_refusal(outage, details), headers_of(outage))
    log.exception("unhandled_error", exc_info=error)
    return respond(failure("InternalError", internal_error(), details=details))


def _of_drf(error: exceptions.APIException, details: dict[str, Any]) -> HttpResponse:
    reason = _REASONS.get(error.status_code, "BadRequest")
    response = respond(failure(reason, str(error.detail), details=details))
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(max(1, round(wait)))
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: a Status on API paths, a page elsewhere."""
    if request.path.startswith(API_PREFIXES):
        return respond(failure("NotFound", _("the server could not find the requested resource")))
    message = _("There is nothing at this address, or nothing that you may see. It may have been misspelled or moved.")
    return bare_pages.error(request, 404, _("Not found"), message)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403: a Status on API paths, a page elsewhere that says who is logged in."""
    if request.path.startswith(API_PREFIXES):
        return respond(failure("Forbidden", _("you may not do this")))
    return bare_pages.not_permitted(request, str(exception))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, for example of a foreign Host: a Status on API paths, a page elsewhere."""
    if request.path.startswith(API_PREFIXES):
        return respond(failure("BadRequest", _("the request is not acceptable")))
    message = _("The server does not understand the request, or does not serve this host. Nothing has changed.")
    return bare_pages.error(request, 400, _("The request is not acceptable"), message)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: a Status on API paths, a page elsewhere. Where the database is away it answers 503."""
    outage = outages.refusal(sys.exc_info()[1])
    if request.path.startswith(API_PREFIXES):
        response = respond(of_refusal(outage, {}) if outage else failure("InternalError", internal_error()))
    elif outage:
        response = bare_pages.error(request, CODES[outage.reason], _("Please try again"), str(outage))
    else:
        response = bare_pages.error(request, 500, _("Server error"), internal_error())
    if outage:
        for name, value in headers_of(outage).items():
            response[name] = value
        # by its own line: Django would leave a traceback of each request while the database is away
        response._has_been_logged = True  # type: ignore[attr-defined]
    return response
