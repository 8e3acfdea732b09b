"""The two pages of a log-in through the OpenID Connect provider: redirect and callback."""

import structlog
from django.contrib import messages
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.exceptions import AuthenticationFailed

from milo.admin.actors import LINKER
from milo.errors import Unavailable
from milo.identity import code_flow, oidc
from milo.settings.oidc import Provider

log = structlog.get_logger(__name__)
ROLES = "milo_oidc_roles"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_safe
@never_cache
def begin_log_in(request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to the provider. `next` in the query is the page to show afterwards."""
    return HttpResponseRedirect(code_flow.begin(request, _provider(), _callback(request), request.GET.get("next", "")))


@require_safe
@never_cache
def finish_log_in(request: HttpRequest) -> HttpResponseRedirect:
    """Log in the authenticated person if they are staff. Otherwise show the reason on the log-in page.

    Roles from the groups claim last as long as the session. `next` is followed only within this site.
    """
    by = _provider()
    try:
        claims, next_page = code_flow.finish(request, by, _callback(request))
        user, actor = oidc.person_in(claims, by)
        if not user.is_staff:
            raise AuthenticationFailed("the person is not staff here")
    except (AuthenticationFailed, Unavailable) as refusal:
        log.warning("oidc_log_in_refused", error=refusal, cause=refusal.__cause__)
        messages.error(request, _("The log-in by your organization failed: %(why)s") % {"why": refusal})
        return HttpResponseRedirect(reverse("admin:login"))
    login(request, user, backend=BACKEND)
    request.session[LINKER] = actor.maker
    request.session[ROLES] = sorted(oidc.roles_of(claims, by))
    safe = url_has_allowed_host_and_scheme(next_page, {request.get_host()}, request.is_secure())
    return HttpResponseRedirect(next_page if safe else reverse("admin:index"))


def _provider() -> Provider:
    by = oidc.provider()
    if by is None or not by.opens_staff_site:
        raise Http404
    return by


def _callback(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("admin:oidc_callback"))
