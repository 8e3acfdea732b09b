"""Service tokens: who has which, issuing (the secret is shown once) and revoking."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Choices, Instant, Row, Text, Tick
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import address
from milo.identity.access import TOKENS
from milo.identity.models import ServiceToken
from milo.identity.tokens import issue_token, revoke_token, scope_choices


class IssueForm(ActForm):
    user = Row(User.objects.filter(is_active=True).order_by("username"), label=gettext_lazy("User"))
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
        """Make the scopes one value: None for no bound, an empty list for a token that only reads."""
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

    def call(self, values: dict[str, Any], *, actor: Actor) -> ServiceToken:
        token, self.secret = issue_token(**values, actor=actor)
        return token

    def finish(self, row: ServiceToken) -> HttpResponse:
        response = self.response_class(
            self.request,
            "milo/token_issued.html",
            {
                **self.admin.admin_site.each_context(self.request),
                "title": _("The token was issued"),
                "opts": self.admin.opts,
                "original": row,
                "secret": self.secret,
                "back": address(row),
            },
        )
        add_never_cache_headers(response)
        return response


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


@admin.register(ServiceToken)
class ServiceTokenAdmin(LedgerAdmin):
    resource = TOKENS
    icon = "key"
    list_display = ("__str__", "user", "description", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("hint", "description", "user__username")
    ordering = ("-created_at",)
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
    list_actions = (IssueToken,)
    object_actions = (RevokeToken,)

    @admin.display(description=gettext_lazy("scopes"))
    def allowed(self, token: ServiceToken) -> str:
        if token.scopes is None:
            return _("all that its user may change")
        return ", ".join(token.scopes) or _("none: it only reads")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceToken]:
        return super().get_queryset(request).select_related("user")
