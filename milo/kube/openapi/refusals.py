"""What an operation may refuse, and how that looks."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from milo.kube.illustrations import illustrations
from milo.kube.schemas import StatusSerializer
from milo.kube.wire.status import failure

_REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("BadRequest", "The request is malformed, or names what there is not.", "limit must be a whole number"),
    401: ("Unauthorized", "No token, or one that is unknown, expired or revoked.", "the token is unknown"),
    403: ("Forbidden", "You may see the object, but not do this.", "user:viewer may not create {plural} here"),
    404: ("NotFound", "There is no such object, or none that you may know of.", '{plural} "website" not found'),
    405: ("MethodNotAllowed", "Objects of this kind cannot be changed so.", "{fixed} cannot be changed by patch"),
    406: ("NotAcceptable", "The answer cannot be given in an accepted type.", "only application/json can be given"),
    408: ("RequestTimeout", "The body takes too long to arrive.", "the request body must arrive within 30 seconds"),
    409: (
        "Conflict",
        "The name is taken, or the object has changed since you read it.",
        "the object has been modified",
    ),
    410: ("Expired", "The continue token or resourceVersion is too old: list again.", "the token has expired"),
    412: ("PreconditionFailed", "If-Match names another revision than the newest.", "the object has been modified"),
    413: ("RequestEntityTooLarge", "The body is larger than 1 MiB.", "the request body is too large"),
    415: ("UnsupportedMediaType", "The body is of a type that is not understood.", "the body is not understood"),
    422: ("Invalid", "The content, or the state of the objects, does not allow it.", "the request is invalid"),
    429: ("TooManyRequests", "Too many requests; wait for Retry-After seconds.", "request was throttled"),
    503: ("ServiceUnavailable", "Something needed is away for the moment; try again.", "try again"),
}
ALWAYS = (400, 401, 403, 406, 429)
OF_CREATE = (404, 408, 409, 413, 415, 422, 503)
OF_WRITE = (*OF_CREATE, 412)


def refusal(code: int) -> OpenApiResponse:
    """The documented answer of an HTTP status code."""
    reason, description, message = _REFUSALS[code]
    named, causes = illustrations(), [illustrations().cause] if code == 422 else []
    said = message.format(plural=named.plural, fixed=named.fixed)
    example: dict[str, Any] = failure(reason, said, causes=causes)
    shown = OpenApiExample(reason, value=example, response_only=True)
    return OpenApiResponse(StatusSerializer, description, examples=[shown])


def name(code: int) -> str:
    """The name under which the documents keep the answer of a code."""
    return _REFUSALS[code][0]
