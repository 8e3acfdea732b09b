"""Pages of identities: list, link and unlink subjects of the OpenID Connect provider."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Paragraph, Text
from milo.admin.ledger import LedgerAdmin
from milo.admin.suggestions import SuggestedUser
from milo.identity import oidc
from milo.identity.access import IDENTITIES
from milo.identity.identities import LONGEST, link, unlink
from milo.identity.models import Identity

_REASON = Paragraph(
    max_length=2000, label=gettext_lazy("Reason"), help_text=gettext_lazy("It stays in the history for ever.")
)


class LinkForm(ActForm):
    user = SuggestedUser(User.objects.all(), label=gettext_lazy("User"))
    issuer = Text(max_length=LONGEST, label=gettext_lazy("Issuer"))
    subject = Text(
        max_length=LONGEST,
        label=gettext_lazy("Subject"),
        help_text=gettext_lazy("The claim sub of the person's tokens."),
    )
    why = _REASON

    paths = {"issuer": "issuer", "subject": "subject", "reason": "why", "message": "why"}


class LinkIdentity(ServiceAction):
    name = "link"
    title = gettext_lazy("Link an identity")
    icon = "link"
    variant = ActionVariant.PRIMARY
    verb, resource = "create", IDENTITIES
    form_class = LinkForm

    def get_initial(self) -> dict[str, Any]:
        provider = oidc.provider()
        return {"issuer": provider.issuer if provider else ""}

    def facts(self) -> Facts:
        return [(_("What will happen"), _("Tokens of this subject act as the user, from the next request on."))]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Identity:
        return link(**values, actor=actor)


class UnlinkForm(ActForm):
    why = _REASON

    paths = {"reason": "why", "message": "why"}


class UnlinkIdentity(ServiceAction):
    name = "unlink"
    title = gettext_lazy("Unlink")
    icon = "link_off"
    variant = ActionVariant.DANGER
    verb, resource = "delete", IDENTITIES
    form_class = UnlinkForm

    def facts(self) -> Facts:
        identity: Identity = self.row
        return [
            (_("User"), identity.user.get_username()),
            (_("Subject"), str(identity)),
            (_("What will happen"), _("The next request of this subject does not act as the user any more.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Identity:
        identity: Identity = self.row
        unlink(identity.pk, **values, actor=actor)
        return identity

    def finish(self, row: Identity) -> HttpResponse:
        super().finish(row)
        # the page of the deleted identity no longer exists
        return HttpResponseRedirect(self.admin.list_address())


@admin.register(Identity)
class IdentityAdmin(LedgerAdmin):
    resource = IDENTITIES
    icon = "badge"
    nothing_yet = gettext_lazy(
        "Identities are linked by the button above, or at the first log-in by the identity provider."
    )
    list_display = ("subject", "issuer", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("subject", "user__username")
    ordering = ("-pk",)
    fieldsets = ((None, {"fields": ("user", "issuer", "subject", "created_at")}),)
    list_actions = (LinkIdentity,)
    object_actions = (UnlinkIdentity,)
