"""The service action: a button, a page with a form, and one service called as the person who is logged in."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.generic import FormView
from unfold.enums import ActionVariant

from milo import audit
from milo.access import Actor
from milo.admin.actors import request_actor
from milo.admin.forms import ActForm
from milo.admin.pages import PageAdmin
from milo.admin.panels import address
from milo.errors import Conflict, Refused
from milo.races import is_race

Facts = Sequence[tuple[str, Any]]


class ServiceAction(FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """Subclass it and name it in `list_actions` or `object_actions` of a read-only admin.

    GET shows `facts` and the form; POST calls the service. Where it `previews`, the first POST calls the
    service in a dry run, so that a refusal shows at once, shows `preview` and asks; the second one acts.
    The access table decides by `verb`, `resource` and `act` who gets the button and the page; the service
    authorizes all the same. `row` is the object, None for an act of the list.
    Buttons of one `menu` (its title) stand together in it.
    """

    name: ClassVar[str]
    title: ClassVar[str | Promise]
    icon: ClassVar[str]
    variant: ClassVar[ActionVariant] = ActionVariant.DEFAULT
    verb: ClassVar[str]
    resource: ClassVar[str]
    act: ClassVar[str] = ""
    previews: ClassVar[bool] = False
    menu: ClassVar[str | Promise] = ""

    template_name = "milo/service_action.html"
    http_method_names = ["get", "head", "post"]
    form_class = ActForm
    model_admin: PageAdmin | None = None
    row: Any = None

    def call(self, values: dict[str, Any], *, actor: Actor) -> models.Model:
        """Call the service with the form's values; returns the row to show afterwards."""
        raise NotImplementedError

    def message(self, row: Any) -> str:
        """What to say once `call` has returned `row`."""
        return _("%(act)s: done, %(row)s.") % {"act": self.title, "row": row}

    def level(self, row: Any) -> int:
        """How `message` is shown, as a level of Django's messages."""
        return messages.SUCCESS

    def facts(self) -> Facts:
        """What to know before filling the form in."""
        return []

    def preview(self, values: dict[str, Any]) -> Facts:
        """What will happen with these values."""
        return []

    @classmethod
    def allowed(cls, actor: Actor, organization_id: int | None) -> bool:
        """Whether the access table lets the actor do this."""
        return actor.may(cls.verb, cls.resource, organization_id, act=cls.act)

    @classmethod
    def offered(cls, row: Any) -> bool:
        """Whether the button makes sense in the state of `row`; the service has the last word."""
        return True

    @classmethod
    def meant_for(cls, actor: Actor, row: Any) -> bool:
        """Whether this very person may do it to `row`, beyond what the access table says (four eyes)."""
        return True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        admin = self.admin
        if not admin.has_view_permission(request):
            raise PermissionDenied
        if object_id := kwargs.get("object_id"):
            self.row = self.load(unquote(object_id))
            if self.row is None:
                raise Http404
        self.actor = request_actor(request)
        if not self.allowed(self.actor, admin.organization_id(self.row) if self.row else None):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def load(self, object_id: str) -> Any:
        """The object of the page; None where there is none."""
        return self.admin.get_object(self.request, object_id)

    def acting(self, values: dict[str, Any]) -> AbstractContextManager[None]:
        """The context in which `call` is made with the form's values, inside a dry run where it is one."""
        return nullcontext()

    @property
    def submit_variant(self) -> str:
        """How the button that acts looks: red where the act is hard to undo."""
        return "danger" if self.variant is ActionVariant.DANGER else "primary"

    @property
    def admin(self) -> PageAdmin:
        assert self.model_admin
        return self.model_admin

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "row": self.row}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "edit" in request.POST:
            return self.render_to_response(self.get_context_data())
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: ActForm) -> HttpResponse:
        try:
            if self.previews and "confirm" not in self.request.POST:
                with audit.dry_run(), self.acting(form.cleaned_data):
                    self.call(form.cleaned_data, actor=self.actor)
                return self.render_to_response(
                    self.get_context_data(form=form, preview=self.preview(form.cleaned_data))
                )
            with self.acting(form.cleaned_data):
                row = self.call(form.cleaned_data, actor=self.actor)
        except Refused as refusal:
            form.refuse(refusal)
            if isinstance(refusal, Conflict):
                self.look_again(form)
        except DatabaseError as error:
            if not is_race(error):
                raise
            # two people at once: the database kept the rule that the service had found kept
            form.add_error(None, _("Somebody else was faster, or the name is taken; look again."))
            self.look_again(form)
        else:
            return self.finish(row)
        return self.form_invalid(form)

    def look_again(self, form: ActForm) -> None:
        """Prepare the form for another try after the object has changed; does nothing where no version was seen."""

    def finish(self, row: Any) -> HttpResponse:
        """The answer to an act that was done: a message, on the page of `row`."""
        messages.add_message(self.request, self.level(row), self.message(row))
        return HttpResponseRedirect(address(row))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site, request = self.admin.admin_site, self.request
        request.current_app = site.name
        return super().get_context_data(
            **site.each_context(request),
            **{
                "title": self.title,
                "opts": self.admin.opts,
                "original": self.row,
                "action": self,
                "facts": self.facts(),
                "back": address(self.row) if self.row else self.admin.list_address(),
                **kwargs,
            },
        )

    @classmethod
    def button(cls, admin: PageAdmin, row: Any) -> dict[str, Any]:
        """The button as unfold draws it in the header of a page."""
        name = f"admin:{admin.opts.app_label}_{admin.opts.model_name}_{cls.name}"
        return {
            "title": cls.title,
            "icon": cls.icon,
            "variant": cls.variant,
            "path": reverse(name, args=[quote(row.pk)] if row else []),
        }
