"""The user of a request as the author of rows that libraries write."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from milo.access import Actor
from milo.audit.authors import working


class AuthorMiddleware:
    """Set the user of the request as the author of history rows for models of Django and its libraries."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with working(lambda: _author_of(request), lambda: _credential_of(request)):
            return self.get_response(request)


def _author_of(request: HttpRequest) -> str:
    # before authentication only authentication itself writes
    return f"user:{request.user.get_username()}" if request.user.is_authenticated else "system:authentication"


def _credential_of(request: HttpRequest) -> tuple[str, str]:
    # views of the staff site set it before they write
    actor: Actor | None = getattr(request, "milo_actor", None)
    return (actor.credential, actor.maker) if actor else ("", "")
