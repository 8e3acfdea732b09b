"""Lockout after too many wrong passwords: callbacks of django-axes."""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse


class AttemptHandler(AxesDatabaseHandler):
    """Record name, address, time and count of failed log-ins only. For the setting AXES_HANDLER.

    The library would also record user agent, path and parameters, which the client controls.
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
    """Return the name to record a failure under; "" for an unknown user. For the setting AXES_USERNAME_CALLABLE.

    An unknown name may be a password typed into the wrong field.
    """
    name = (credentials or {}).get("username") or request.POST.get("username", "")
    return name if "\x00" not in name and User.objects.filter(username=name).exists() else ""


def locked_out(request: HttpRequest, answer: HttpResponse | None, credentials: Any) -> HttpResponse:
    """Answer 429 with the time to wait. For the setting AXES_LOCKOUT_CALLABLE."""
    wait = settings.AXES_COOLOFF_TIME
    context = admin.site.each_context(request) | {"minutes": wait.seconds // 60}
    headers = {"Retry-After": str(wait.seconds)}
    return TemplateResponse(request, "milo/locked_out.html", context, status=429, headers=headers).render()
