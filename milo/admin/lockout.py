"""Who gave a wrong password too often: how that is counted, and what the person sees."""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse


class AttemptHandler(AxesDatabaseHandler):
    """Keep name, address, time and count of failed log-ins; for the setting AXES_HANDLER.

    The library would keep browser, path and parameters too, which are what a client likes to send.
    """

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **signal: Any
    ) -> None:
        if request is None:
            return super().user_login_failed(sender, credentials, request, **signal)
        sent = request.GET, request.POST
        request.GET, request.POST = QueryDict(), QueryDict()
        request.axes_user_agent = request.axes_path_info = request.axes_http_accept = ""  # type: ignore[attr-defined]
        try:
            # the library finds the name by the credentials
            return super().user_login_failed(sender, credentials, request, **signal)
        finally:
            request.GET, request.POST = sent


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name that a failure is kept under: of a person there is, or none, for the setting AXES_USERNAME_CALLABLE.

    What else is typed there may be a password.
    """
    name = (credentials or {}).get("username") or request.POST.get("username", "")
    return name if "\x00" not in name and User.objects.filter(username=name).exists() else ""


def locked_out(request: HttpRequest, answer: HttpResponse | None, credentials: Any) -> HttpResponse:
    """The page (429) that says how long to wait; for the setting AXES_LOCKOUT_CALLABLE."""
    wait = settings.AXES_COOLOFF_TIME
    context = admin.site.each_context(request) | {"minutes": wait.seconds // 60}
    headers = {"Retry-After": str(wait.seconds)}
    return TemplateResponse(request, "milo/locked_out.html", context, status=429, headers=headers).render()
