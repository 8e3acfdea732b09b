"""Reports: read-only pages with a form sent by GET and a table as the answer."""

from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from unfold.enums import ActionVariant

from milo.admin.forms import ActForm
from milo.admin.pages import PageAdmin
from milo.admin.panels import Panel


class Report(TemplateView):
    """Base of reports. Subclass it and list it in `list_reports` of a read-only admin.

    It requires the permission to list the rows of that admin.
    """

    name: ClassVar[str]
    title: ClassVar[str | Promise]
    icon: ClassVar[str]
    in_side_bar: ClassVar[bool] = False
    form_class: ClassVar[type[ActForm]]
    formats: ClassVar[Sequence[str]] = ()
    """Files that a report which answers POST exports, by their suffixes."""

    top_template: ClassVar[str] = ""

    template_name = "milo/report.html"
    http_method_names = ["get", "head"]
    model_admin: PageAdmin | None = None

    def defaults(self) -> dict[str, Any]:
        """Return default values of the form, for parameters missing in the URL."""
        return {}

    def form(self, data: dict[str, Any]) -> ActForm:
        """Return the form, bound to the parameters of the URL and the default values."""
        return self.form_class(data)

    def table(self, values: dict[str, Any]) -> Panel:
        """Return the table that answers the form. Its `more` is a query string of this page for the rest."""
        raise NotImplementedError

    def top(self) -> dict[str, Any]:
        """Return context of the page for `top_template`, which is shown above the form, and for its title."""
        return {}

    def back(self) -> str:
        """Return the URL of the parent page."""
        return self.admin.list_address()

    @property
    def admin(self) -> PageAdmin:
        assert self.model_admin
        return self.model_admin

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.admin.has_view_permission(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form({**self.defaults(), **request.GET.dict()})
        panel = self.table(form.cleaned_data) if form.is_valid() else None
        if panel and not panel.nothing:
            panel.nothing = _("Nothing matches: change what is chosen above.")
        site = self.admin.admin_site
        request.current_app = site.name
        context = {
            **site.each_context(request),
            "title": self.title,
            # a report with an entry of its own in the side bar stands beside the lists, not below one
            **({"content_title": self.title} if self.in_side_bar else {"opts": self.admin.opts}),
            "form": form,
            "panels": [panel] if panel else [],
            "back": self.back(),
            "top_template": self.top_template,
            **self.top(),
            "formats": self.formats if panel else (),
        }
        return self.render_to_response(context)

    @staticmethod
    def query(**values: Any) -> str:
        """Return the query string of this page with these values."""
        return f"?{urlencode({key: value for key, value in values.items() if value})}"

    @classmethod
    def address(cls, admin: PageAdmin) -> str:
        """Return the URL of the report."""
        return reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_{cls.name}")

    @classmethod
    def button(cls, admin: PageAdmin) -> dict[str, Any]:
        """Return the button in the form that unfold expects for the header of the list."""
        return {"title": cls.title, "icon": cls.icon, "variant": ActionVariant.DEFAULT, "path": cls.address(admin)}

    @classmethod
    def item(cls, admin: PageAdmin) -> dict[str, Any]:
        """Return the entry in the side bar, for a report with `in_side_bar`."""
        return {"title": cls.title, "icon": cls.icon, "link": cls.address(admin)}
