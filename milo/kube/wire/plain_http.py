"""Refuse API requests without TLS. Clients would follow a redirect and send the token in clear text again."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from milo.kube.wire.status import API_PREFIXES, failure, respond


class PlainHttpMiddleware:
    """Answer 403 to plain HTTP on API paths if MILO_HTTPS_ONLY is set, before authentication.

    Django's SecurityMiddleware, which runs after this one, redirects pages.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and request.path.startswith(API_PREFIXES):
            return respond(
                failure("Forbidden", _("the API is served over HTTPS only; replace the token that was sent"))
            )
        return self.get_response(request)
