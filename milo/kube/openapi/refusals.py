"""The refusals in the documents: reason, description and example by HTTP status code."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from milo.kube.illustrations import illustrations
from milo.kube.schemas import StatusSerializer
from milo.kube.wire.status import describe_failure

_REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("BadRequest", "The request is malformed or has invalid parameters.", "limit must be a whole number"),
    401: ("Unauthorized", "No token, or one that is unknown, expired or revoked.", "the token is unknown"),
    403: ("Forbidden", "You may see the object, but not do this.", "user:viewer may not create {plural} here"),
    404: ("NotFound", "There is no such object, or you may not see it.", '{plural} "website" not found'),
    405: ("MethodNotAllowed", "Objects of this kind do not support the method.", "{fixed} cannot be changed by patch"),
    406: ("NotAcceptable", "None of the accepted media types is supported.", "only application/json can be given"),
    408: ("RequestTimeout", "The body takes too long to arrive.", "the request body must arrive within 30 seconds"),
    409: (
        "Conflict",
        "The name is taken, or the object has changed since you read it.",
        "the object has been modified",
    ),
    410: ("Expired", "The continue token or resourceVersion is too old: list again.", "the token has expired"),
    412: ("PreconditionFailed", "If-Match does not name the newest revision.", "the object has been modified"),
    413: ("RequestEntityTooLarge", "The body is larger than 1 MiB.", "the request body is too large"),
    415: ("UnsupportedMediaType", "The media type of the body is not supported.", "the body is not understood"),
    422: ("Invalid", "The content is invalid, or the state of the objects forbids it.", "the request is invalid"),
    429: ("TooManyRequests", "Too many requests. Wait for Retry-After seconds.", "request was throttled"),
    503: ("ServiceUnavailable", "A dependency is unavailable. Wait for Retry-After seconds.", "try again"),
    504: ("Timeout", "The resourceVersion is ahead, or the database took too long.", "the database took longer"),
}
ALWAYS = (400, 401, 403, 406, 429, 503, 504)
OF_RETRY = (409, 422)
"""A key whose request is not answered yet, and one that was sent with another body."""
OF_CREATE = (404, 408, 409, 413, 415, 422)
OF_WRITE = (*OF_CREATE, 412)


def refusal(code: int) -> OpenApiResponse:
    """Return the documented response of an HTTP status code."""
    reason, description, message = _REFUSALS[code]
    names, causes = illustrations(), [illustrations().cause] if code == 422 else []
    text = message.format(plural=names.plural, fixed=names.fixed)
    status: dict[str, Any] = describe_failure(reason, text, causes=causes)
    example = OpenApiExample(reason, value=status, response_only=True)
    return OpenApiResponse(StatusSerializer, description, examples=[example])


def name(code: int) -> str:
    """Return the component name of the response of an HTTP status code."""
    return _REFUSALS[code][0]
