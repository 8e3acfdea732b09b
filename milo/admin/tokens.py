"""Pages of service tokens: list, issue (the secret is shown once) and revoke."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from unfold.enums import ActionVariant

from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.actors import request_actor
from milo.admin.forms import ActForm, Choices, Instant, Text, Tick
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import address
from milo.admin.suggestions import SuggestedUser
from milo.identity.access import TOKENS
from milo.identity.models import ServiceToken, ServiceUser
from milo.identity.service_users import create_service_user
from milo.identity.tokens import issue_token, longest_days, revoke_token, scope_choices

# a token that nobody needs any more should not outlive a quarter because nobody thought of its end
PROPOSED_DAYS = 90


class IssueForm(ActForm):
    user = SuggestedUser(
        User.objects.none(), label=gettext_lazy("User"), help_text=gettext_lazy("Yourself or a service user.")
    )
    description = Text(max_length=200, label=gettext_lazy("Description"), help_text=gettext_lazy("What it is for."))
    expires_at = Instant(
        required=False,
        label=gettext_lazy("Expires at"),
        help_text=gettext_lazy("UTC; empty for the latest that is allowed."),
    )
    read_only = Tick(required=False, label=gettext_lazy("Read only"))
    scopes = Choices(
        required=False,
        initial=[],
        choices=lambda: [(name, name) for name in scope_choices()],
        label=gettext_lazy("Scopes"),
        help_text=gettext_lazy("What it may change, as far as its user may; none ticked for all of that."),
    )

    paths = {"description": "description", "expiresAt": "expires_at", "scopes": "scopes"}

    def clean(self) -> dict[str, Any]:
        """Combine both fields into `scopes`: None for no limit, an empty list for a read-only token."""
        values = super().clean() or {}
        scopes, read_only = values.get("scopes"), values.pop("read_only", False)
        if scopes and read_only:
            self.add_error("scopes", _("A token that only reads has no scopes."))
        return {**values, "scopes": scopes or ([] if read_only else None)}


class IssueToken(ServiceAction):
    name = "issue"
    title = gettext_lazy("Issue a service token")
    icon = "key"
    variant = ActionVariant.PRIMARY
    verb, resource = "create", TOKENS
    form_class = IssueForm

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        form.fields["user"].queryset = self._users()
        return form

    def _users(self) -> QuerySet[User]:
        """Return the users to choose from. The service decides in the end."""
        users = User.objects.filter(is_active=True)
        condition = Q(username=self.request.user.get_username())
        if self.actor.may("create", TOKENS, None):
            condition |= Q(service_user__isnull=False)
        return users.filter(condition)

    def get_initial(self) -> dict[str, Any]:
        end = timezone.now() + timedelta(days=min(PROPOSED_DAYS, longest_days() or PROPOSED_DAYS))
        return {**super().get_initial(), "user": self.request.user.pk, "expires_at": end.strftime("%Y-%m-%dT%H:%M")}

    def call(self, values: dict[str, Any], *, actor: Actor) -> ServiceToken:
        token, self.secret = issue_token(**values, actor=actor)
        return token

    def repeated(self) -> str:
        return _(
            "This form was sent twice, and a token was issued. Its secret was shown once only, with the first answer: "
            "if you have not seen it, have the token revoked and issue another one."
        )

    def back(self, row: ServiceToken) -> str:
        """Return the URL to continue to after the secret has been read."""
        return address(row)

    def parents(self, row: ServiceToken | None) -> dict[str, Any]:
        """Return the context from which the header of the page links what the page is below of."""
        return {"opts": self.admin.opts, "original": row}

    def finish(self, row: ServiceToken) -> HttpResponse:
        response = self.response_class(
            self.request,
            "milo/token_issued.html",
            {
                **self.admin.admin_site.each_context(self.request),
                "title": _("The token was issued"),
                **self.parents(row),
                "secret": self.secret,
                "back": self.back(row),
            },
        )
        add_never_cache_headers(response)
        return response


class IssueOwnToken(IssueToken):
    """Issues a token for the logged-in person. Open to all staff, without the permission to list tokens."""

    name = "own-token"
    title = gettext_lazy("Issue a token for yourself")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.actor = request_actor(request)
        return FormView.dispatch(self, request, *args, **kwargs)

    def _users(self) -> QuerySet[User]:
        return super()._users().filter(username=self.request.user.get_username())

    def parents(self, row: ServiceToken | None) -> dict[str, Any]:
        """Return no list: the person need not be permitted to open that of tokens."""
        return {"opts": None, "original": None, "content_title": self.title}

    @property
    def origin(self) -> str:
        """Return the address of the home page, for the same reason."""
        return reverse("admin:index")

    def back(self, row: ServiceToken) -> str:
        return self.origin

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{**self.parents(None), **kwargs})


class RevokeToken(ServiceAction):
    name = "revoke"
    title = gettext_lazy("Revoke")
    icon = "key_off"
    variant = ActionVariant.DANGER
    verb, resource = "delete", TOKENS

    @classmethod
    def offered(cls, row: ServiceToken) -> bool:
        return row.revoked_at is None

    def facts(self) -> Facts:
        return [
            (_("Token"), self.row),
            (_("What will happen"), _("The next request with this token is refused. This cannot be undone.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> ServiceToken:
        return revoke_token(self.row.pk, actor=actor)


class ServiceUserForm(ActForm):
    username = Text(max_length=150, label=gettext_lazy("Name"))
    description = Text(max_length=200, label=gettext_lazy("Description"), help_text=gettext_lazy("What it is for."))

    paths = {"username": "username"}


class CreateServiceUser(ServiceAction):
    name = "create-service-user"
    title = gettext_lazy("Create a service user")
    icon = "smart_toy"
    verb, resource = "create", TOKENS
    form_class = ServiceUserForm

    def call(self, values: dict[str, Any], *, actor: Actor) -> ServiceUser:
        return create_service_user(values["username"], description=values["description"], actor=actor)

    def finish(self, row: ServiceUser) -> HttpResponse:
        messages.success(self.request, _("%(name)s is a service user; it has no role yet.") % {"name": row})
        return HttpResponseRedirect(self.admin.list_address())


@admin.register(ServiceToken)
class ServiceTokenAdmin(LedgerAdmin):
    resource = TOKENS
    icon = "key"
    nothing_yet = gettext_lazy("The first service token is issued by a button above.")
    list_display = (
        "__str__",
        "user",
        "description",
        "allowed",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), ("expires_at", admin.EmptyFieldListFilter))
    search_fields = ("hint", "description", "user__username")
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "user",
                    "description",
                    "hint",
                    "allowed",
                    "created_at",
                    "expires_at",
                    "last_used_at",
                    "revoked_at",
                )
            },
        ),
    )
    list_actions = (IssueToken, CreateServiceUser)
    object_actions = (RevokeToken,)

    @admin.display(description=gettext_lazy("scopes"))
    def allowed(self, token: ServiceToken) -> str:
        if token.scopes is None:
            return _("all that its user may change")
        return ", ".join(token.scopes) or _("none: it only reads")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceToken]:
        return super().get_queryset(request).select_related("user")
