"""The staff site on a host of its own: cookies of people and tokens of programs never meet at one origin."""

from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from milo.bare_pages import SITE


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """Redirect the address of the host to what it serves people: the staff site, or the address of the API."""
    return HttpResponseRedirect(SITE if not settings.MILO_STAFF_HOST or _at_staff_host(request) else "/apis")


class StaffHostMiddleware:
    """With MILO_STAFF_HOST, answer 404 to the staff site at other hosts, and to everything else at this one.

    At every host are static files, which both use, the bare address, which redirects, and probes (milo/probes.py).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        everywhere = request.path == "/" or request.path.startswith(settings.STATIC_URL)
        if settings.MILO_STAFF_HOST and not everywhere and _at_staff_host(request) != request.path.startswith(SITE):
            raise Http404
        return self.get_response(request)


def _at_staff_host(request: HttpRequest) -> bool:
    # the port is none of its business: a proxy may listen at another one
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return host.lower() == settings.MILO_STAFF_HOST.lower()
