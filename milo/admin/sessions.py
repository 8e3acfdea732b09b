"""The page of sessions: a person's own, and for superusers those of anybody."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from milo.identity import sessions


class SessionsView(TemplateView):
    """GET lists the sessions of a person. POST ends the session `id`, or without it all but the current one."""

    template_name = "milo/sessions.html"
    http_method_names = ["get", "head", "post"]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        user = request.user
        assert isinstance(user, User)
        user_id = kwargs.get("user_id", user.pk)
        if user_id != user.pk and not user.is_superuser:
            raise PermissionDenied
        self.person = get_object_or_404(User, pk=user_id)
        self.present = sessions.digest(request.session.session_key)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        others = [session.id for session in sessions.sessions_of(self.person) if session.id != self.present]
        ids = [request.POST["id"]] if "id" in request.POST else others
        count = sessions.end(self.person, *ids) if ids else 0
        messages.success(request, _("Sessions ended: %(count)d") % {"count": count})
        return HttpResponseRedirect(request.path)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **admin.site.each_context(self.request),
            title=_("Sessions of %(user)s") % {"user": self.person.get_username()},
            sessions=sessions.sessions_of(self.person),
            present=self.present,
            **kwargs,
        )
