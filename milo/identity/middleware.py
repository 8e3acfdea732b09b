"""The person of a request answers for what libraries write meanwhile."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from milo.access import Actor
from milo.audit.authors import working


class AuthorMiddleware:
    """Names the user of the request, however they were authenticated, as the author of rows that libraries write."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with working(lambda: _author_of(request), lambda: _credential_of(request)):
            return self.get_response(request)


def _author_of(request: HttpRequest) -> str:
    # who is not authenticated yet changes nothing but by authenticating
    return f"user:{request.user.get_username()}" if request.user.is_authenticated else "system:authentication"


def _credential_of(request: HttpRequest) -> tuple[str, str]:
    # the staff site reads its actor before it writes
    actor: Actor | None = getattr(request, "milo_actor", None)
    return (actor.credential, actor.maker) if actor else ("", "")
