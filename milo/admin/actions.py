"""Service actions: a button, a page with a form, and one service call as the logged-in person."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC
from typing import Any, ClassVar
from uuid import uuid4

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.generic import FormView
from unfold.enums import ActionVariant

from milo import audit, personal
from milo.access import Actor
from milo.admin import sent_forms
from milo.admin.actors import request_actor
from milo.admin.forms import ActForm
from milo.admin.pages import PageAdmin
from milo.admin.panels import address
from milo.admin.suggestions import SEARCH, suggest
from milo.errors import Conflict, Refused
from milo.identity import unsent
from milo.metrics import counted
from milo.races import is_race

Facts = Sequence[tuple[str, Any]]


class ServiceAction(FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """Base of service actions. Subclass it and list it in `list_actions` or `object_actions` of a read-only admin.

    GET shows `facts` and the form; POST calls the service. If it `previews`, the first POST calls the service in a dry
    run and asks for confirmation with `preview`, or shows the refusal; the second POST acts. The access table decides
    by `verb`, `resource` and `action` who sees the button and the page. The service authorizes again. `row` is the
    object, None for an action of the list. Buttons with the same `menu` (a title) form a menu. An action that is
    `on_page` has no button: the page of the object shows its form.
    """

    name: ClassVar[str]
    title: ClassVar[str | Promise]
    icon: ClassVar[str]
    variant: ClassVar[ActionVariant] = ActionVariant.DEFAULT
    verb: ClassVar[str]
    resource: ClassVar[str]
    action: ClassVar[str] = ""
    previews: ClassVar[bool] = False
    menu: ClassVar[str | Promise] = ""
    on_page: ClassVar[bool] = False
    takes_unsent: ClassVar[bool] = True
    """Whether the page shows again what was sent to it when the session had ended (`unsent`)."""

    template_name = "milo/service_action.html"
    http_method_names = ["get", "head", "post"]
    form_class = ActForm
    model_admin: PageAdmin | None = None
    row: Any = None
    refusal: Refused | None = None
    """Why the service has refused what was sent."""
    typed: QueryDict | None = None
    """What was typed before, when the session had ended."""
    conflict = False
    """Whether the object has changed since the form was opened: the form is now one of the new version."""

    def call(self, values: dict[str, Any], *, actor: Actor) -> models.Model:
        """Call the service with the form's values and return the row to show afterwards."""
        raise NotImplementedError

    def message(self, row: Any) -> str:
        """Return the message to show after the action; `row` is the result of `call`."""
        return _("%(act)s: done, %(row)s.") % {"act": self.title, "row": row}

    def repeated(self) -> str:
        """Return the message to show to whom sends the form again, whose browser has dropped the first answer."""
        text = _("%(act)s: this form was sent before. Nothing was done again; open it anew to do it once more.")
        return text % {"act": self.title}

    def level(self, row: Any) -> int:
        """Return the level of `message`, one of Django's message levels."""
        return messages.SUCCESS

    def facts(self) -> Facts:
        """Return labelled facts to show above the form."""
        return []

    def preview(self, values: dict[str, Any]) -> Facts:
        """Return labelled facts about the effect of these values, for confirmation."""
        return []

    def obstacle(self) -> str:
        """Return why the action is impossible now, which is shown in place of its button; "" if nothing is known."""
        return ""

    @classmethod
    def allowed(cls, actor: Actor, organization_id: int | None) -> bool:
        """Return whether the access table permits the action to the actor."""
        return actor.may(cls.verb, cls.resource, organization_id, action=cls.action)

    @classmethod
    def offered(cls, row: Any) -> bool:
        """Return whether to show the button in the state of `row`. The service decides in the end."""
        return True

    @classmethod
    def why_not(cls, row: Any) -> str:
        """Return why the action, which is not offered, is impossible in the state of `row`; "" leaves it out."""
        return ""

    @classmethod
    def meant_for(cls, actor: Actor, row: Any) -> bool:
        """Return whether to show the button to this person, beyond the access table, for example by four-eyes rules."""
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
        """Return the object of the page; None if it does not exist."""
        return self.admin.get_object(self.request, object_id)

    def acting(self, values: dict[str, Any]) -> AbstractContextManager[None]:
        """Return the context for `call`. In a preview the dry run is outside of it."""
        return nullcontext()

    @property
    def submit_variant(self) -> str:
        """Return the style of the submit button: red for actions that are hard to undo."""
        return "danger" if self.variant is ActionVariant.DANGER else "primary"

    @property
    def origin(self) -> str:
        """Return the address of the object's page, or of the list."""
        return address(self.row) if self.row else self.admin.list_address()

    @property
    def admin(self) -> PageAdmin:
        assert self.model_admin
        return self.model_admin

    def get_form_kwargs(self) -> dict[str, Any]:
        kept = {"data": self.typed} if self.typed else {}
        return {**super().get_form_kwargs(), "row": self.row, **kept}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if SEARCH in request.GET:
            return suggest(self.get_form(), request.GET)
        if typed := unsent.take(request):
            messages.warning(request, _("Your session had ended, and nothing was done. What you typed is here again."))
            # what would be shown masked would be sent so
            personal.say_again(text for _name, texts in typed.lists() for text in texts)
            self.typed = typed
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if sent_forms.has_acted(sent_forms.sent_form(request, self.actor)):
            return self._sent_before()
        if "edit" in request.POST:
            return self.render_to_response(self.get_context_data())
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: ActForm) -> HttpResponse:
        try:
            if self.previews and "confirm" not in self.request.POST:
                with audit.dry_run():
                    self._act(form.cleaned_data)
                return self.render_to_response(
                    self.get_context_data(form=form, preview=self.preview(form.cleaned_data))
                )
            row = sent_forms.once(sent_forms.sent_form(self.request, self.actor), lambda: self._act(form.cleaned_data))
        except sent_forms.SentBefore:
            return self._sent_before()
        except Refused as refusal:
            self.refusal = refusal
            counted.count_refusal(refusal.reason, refusal.causes)
            form.refuse(refusal)
            if isinstance(refusal, Conflict):
                self.look_again(form)
        except DatabaseError as error:
            if not is_race(error):
                raise
            # the service found the rule satisfied, but the database stopped a race
            form.add_error(None, _("Somebody else was faster, or the name is taken; look again."))
            self.look_again(form)
        else:
            return self.finish(row)
        return self.form_invalid(form)

    def _sent_before(self) -> HttpResponse:
        messages.warning(self.request, self.repeated())
        return HttpResponseRedirect(self.origin)

    def _act(self, values: dict[str, Any]) -> models.Model:
        # what is written does not depend on the zone in which the person reads
        with timezone.override(UTC), self.acting(values):
            return self.call(values, actor=self.actor)

    def look_again(self, form: ActForm) -> None:
        """Prepare the form for another attempt after the object has changed. Hook for forms that carry a revision."""

    def finish(self, row: Any) -> HttpResponse:
        """Answer a successful action: redirect to the page of `row` and show a message there."""
        messages.add_message(self.request, self.level(row), self.message(row))
        return HttpResponseRedirect(address(row))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site, request = self.admin.admin_site, self.request
        request.current_app = site.name
        return super().get_context_data(
            **site.each_context(request),
            **{
                "title": self.title,
                "subtitle": str(self.row) if self.row else "",
                "opts": self.admin.opts,
                "original": self.row,
                "action": self,
                "facts": self.facts(),
                "obstacle": self.obstacle(),
                "back": self.origin,
                "opened": request.POST.get(sent_forms.OPENED) or uuid4().hex,
                **kwargs,
            },
        )

    @classmethod
    def greyed(cls, why: str) -> dict[str, Any]:
        """Return the item of a menu for an action that is impossible, with the reason."""
        return {"title": cls.title, "icon": cls.icon, "variant": cls.variant, "path": "", "obstacle": why}

    @classmethod
    def button(cls, admin: PageAdmin, row: Any) -> dict[str, Any]:
        """Return the button in the form that unfold expects for the header of a page."""
        name = f"admin:{admin.opts.app_label}_{admin.opts.model_name}_{cls.name}"
        return {
            "title": cls.title,
            "icon": cls.icon,
            "variant": cls.variant,
            "path": reverse(name, args=[quote(row.pk)] if row else []),
        }
