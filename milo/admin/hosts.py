"""The staff site on a host of its own: cookies of people and tokens of programs never meet at one origin."""

from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

SITE = "/admin/"


class StaffHostMiddleware:
    """With MILO_STAFF_HOST, answer 404 to the staff site at other hosts, and to everything else at this one.

    Static files, which both use, are at every host, and probes too (milo/probes.py).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.MILO_STAFF_HOST and not request.path.startswith(settings.STATIC_URL):
            # the port is none of its business: a proxy may listen at another one
            host = request.get_host().rpartition(":")[0] or request.get_host()
            at_staff_host = host.lower() == settings.MILO_STAFF_HOST.lower()
            if at_staff_host != request.path.startswith(SITE):
                raise Http404
        return self.get_response(request)
