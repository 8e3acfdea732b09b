"""The staff site: access, own pages, side bar and home page."""

import time
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from unfold.sites import UnfoldAdminSite

from milo.admin.actors import request_actor
from milo.admin.masking import lines_of
from milo.admin.panels import Attention, counted
from milo.identity import oidc, unsent
from milo.identity.second_factor import is_missing


class StaffSite(UnfoldAdminSite):
    """The admin site, open to active staff with the permission to list at least one model."""

    login_template = "milo/login.html"
    index_template = "milo/home.html"
    index_title = gettext_lazy("Overview")
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and any(
            model_admin.has_module_permission(request) for model_admin in self._registry.values()
        )

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Wrap a view as Django does, and redirect to the second factor while it is missing."""
        open_to_staff = super().admin_view(view, cacheable)

        @wraps(open_to_staff)
        def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            leaving = request.resolver_match and request.resolver_match.url_name == "logout"
            if not leaving and self.has_permission(request) and is_missing(request, request_actor(request)):
                return redirect_to_login(request.get_full_path(), reverse("admin:second_factor"))
            view_class: Any = getattr(view, "view_class", None)
            if getattr(view_class, "takes_unsent", False):
                unsent.keep(request, lines_of(view_class.form_class))
            return open_to_staff(request, *args, **kwargs)

        return asking

    def get_urls(self) -> list[Any]:
        # imported here, because these modules register pages with the default site, an instance of this class
        from milo.admin.oidc import begin_log_in, finish_log_in
        from milo.admin.password_links import PasswordPage
        from milo.admin.personal import Reveal
        from milo.admin.saved_filters import SaveFilter
        from milo.admin.second_factor import ResetView, SecondFactorView
        from milo.admin.sessions import SessionsView
        from milo.admin.time_zones import TimeZoneView
        from milo.admin.tokens import IssueOwnToken
        from milo.identity.models import ServiceToken

        own_token = self.admin_view(IssueOwnToken.as_view(model_admin=self.get_model_admin(ServiceToken)))
        # lazy, because routes are created once and the title is translated for each request
        password = PasswordPage.as_view(
            extra_context={"site_header": self.site_header, "title": gettext_lazy("Set your password")}
        )

        own = [
            path("oidc/login/", begin_log_in, name="oidc_login"),
            path("oidc/callback/", finish_log_in, name="oidc_callback"),
            path("time-zone/", self.admin_view(TimeZoneView.as_view()), name="time_zone"),
            path("sessions/", self.admin_view(SessionsView.as_view()), name="sessions"),
            # without admin_view, which would redirect here
            path("second-factor/", never_cache(csrf_protect(SecondFactorView.as_view())), name="second_factor"),
            path(
                "second-factor/<int:user_id>/reset/",
                self.admin_view(ResetView.as_view()),
                name="second_factor_reset",
            ),
            path("password-link/<uidb64>/<token>/", password, name="password_link"),
            path("reveal/", self.admin_view(Reveal.as_view()), name="reveal"),
            path("filters/", self.admin_view(SaveFilter.as_view()), {"admin_site": self}, name="save_filter"),
            path("own-token/", own_token, name="own_token"),
            path("sessions/<int:user_id>/", self.admin_view(SessionsView.as_view()), name="sessions_of"),
        ]
        return [*own, *super().get_urls()]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the log-in page, with a link to the OpenID Connect provider if it is enabled for the staff site."""
        by, context = oidc.provider(), dict(extra_context or {})
        if by and by.opens_staff_site:
            wanted = urlencode({"next": request.GET.get("next", "")})
            context["oidc_address"] = f"{reverse('admin:oidc_login')}?{wanted}"
        return super().login(request, context)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Answer the command palette: pages of the side bar by title, and objects.

        Unfold's own search reads every row that matches, and keeps the answer for five minutes, whatever changes.
        """
        from milo.admin.finding import find  # here, because it is about the default site, an instance of this class

        text, started = request.GET.get("s", "").strip(), time.monotonic()
        if not text:
            return HttpResponse()
        results = self._search_apps(self.get_app_list(request), text.lower())
        results += find(request, text, self._get_config("COMMAND", request)["search_models"])
        page = Paginator(results, len(results) or 1)
        context = {
            "page_obj": page,
            "results": page.page(1),
            "page_counter": 0,
            "execution_time": time.monotonic() - started,
            "command_show_history": False,
        }
        # unfold's palette takes the answer as the event of a search that is done
        return TemplateResponse(
            request, "unfold/helpers/command_results.html", context, headers={"HX-Trigger": "search"}
        )

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the lists that the person may see, by application; both Django and the side bar ask on each page."""
        if app_label:
            return super().get_app_list(request, app_label)
        if not hasattr(request, "milo_app_list"):
            request.milo_app_list = super().get_app_list(request)  # type: ignore[attr-defined]
        known: list[Any] = request.milo_app_list  # type: ignore[attr-defined]
        return known

    def attention(self, request: HttpRequest) -> list[Attention]:
        """Return the items of the home page from all models that the person may see."""
        return [
            item
            for model_admin in self._registry.values()
            if hasattr(model_admin, "attention") and model_admin.has_view_permission(request)
            for item in model_admin.attention(request)
        ]


def environment(request: HttpRequest) -> list[str] | None:
    """Return the name of the installation and the color of its banner, red for production. For the setting UNFOLD."""
    name = settings.MILO_ENVIRONMENT
    if not name:
        return None
    return [name, "danger" if name.lower().startswith("prod") else "warning"]


def environment_prefix(request: HttpRequest) -> str:
    """Return the name of the installation as it begins the title of each page. For the setting UNFOLD."""
    return f"[{settings.MILO_ENVIRONMENT}]" if settings.MILO_ENVIRONMENT else ""


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the side bar: every list that the person may see, by application. For the setting UNFOLD."""
    from django.contrib import admin  # here, because the default site is an instance of the class above

    groups: list[dict[str, Any]] = [
        {"items": [{"title": _("Overview"), "icon": "home", "link": reverse("admin:index")}]}
    ]
    for app in admin.site.get_app_list(request):
        items = []
        for model in app["models"]:
            model_admin = admin.site.get_model_admin(model["model"])
            items.append(_item(request, model, model_admin))
            reports = [report for report in getattr(model_admin, "list_reports", ()) if report.in_side_bar]
            items += [report.item(model_admin) for report in reports]
        groups.append({"title": app["name"], "separator": True, "items": items})
    _mark_current(request.path, [item for group in groups for item in group["items"]])
    return groups


def _mark_current(path: str, items: list[dict[str, Any]]) -> None:
    """Mark the item of the side bar that leads to the page, or nearest to it.

    Unfold marks each whose address is in that of the page: the list beside its reports.
    """
    home = reverse("admin:index")
    above = [item for item in items if path.startswith(item["link"]) and (item["link"] != home or path == home)]
    nearest = max(above, key=lambda item: len(item["link"]), default=None)
    for item in items:
        item["active"] = item is nearest


def _item(request: HttpRequest, model: dict[str, Any], model_admin: Any) -> dict[str, Any]:
    item = {"title": model["name"], "link": model["admin_url"], "icon": getattr(model_admin, "icon", "list")}
    # Django's own pages, such as those of users, lack `waiting`
    if waiting := getattr(model_admin, "waiting", lambda _request: 0)(request):
        item["badge"] = counted(waiting)
    return item
