"""The time zone in which a person reads the staff site: kept in a cookie, as Django keeps a language; else UTC."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView

from milo.admin.forms import Select
from milo.bare_pages import SITE
from milo.dates import time_zones

COOKIE, UTC = "milo_time_zone", "UTC"
_A_YEAR = 365 * 24 * 3600


class TimeZoneMiddleware:
    """Show instants on pages of the staff site in the zone of the person, those that answer a form, too.

    What is written, exported or typed in stays in UTC: services, exports and fields of forms set it for themselves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(SITE):
            return self.get_response(request)
        with timezone.override(ZoneInfo(zone_of(request))):
            return self.get_response(request)


def zone_of(request: HttpRequest) -> str:
    """Return the name of the zone that the person chose; UTC if there is none by the name in the cookie."""
    name = request.COOKIES.get(COOKIE, UTC)
    return name if name in time_zones() else UTC


class ZoneForm(forms.Form):
    zone = Select(
        choices=lambda: [(name, name.replace("_", " ")) for name in sorted(time_zones())],
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Times on pages are shown in it. What you type in, and what is exported, is in UTC."),
    )


class TimeZoneView(FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """GET asks for the zone, POST keeps it in this browser for a year."""

    template_name = "milo/time_zone.html"
    form_class = ZoneForm
    success_url = reverse_lazy("admin:time_zone")
    http_method_names = ["get", "head", "post"]

    def get_initial(self) -> dict[str, str]:
        return {"zone": zone_of(self.request)}

    def form_valid(self, form: ZoneForm) -> HttpResponse:
        zone = form.cleaned_data["zone"]
        messages.success(self.request, _("Times are shown in the zone %(zone)s.") % {"zone": zone})
        response = super().form_valid(form)
        response.set_cookie(
            COOKIE,
            zone,
            max_age=_A_YEAR,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
            path=SITE,
        )
        return response

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        context = {**admin.site.each_context(self.request), "title": _("Time zone"), **kwargs}
        return super().get_context_data(**context)
