"""Actions on billing accounts: open and revise."""

from typing import Any

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing.access import ACCOUNTS
from billing.admin.account_forms import SpecFields, initial_of, spec_of
from billing.admin.wording import read_only_now
from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, open_account, revise
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import Text
from milo.admin.messages import refusal_text
from milo.admin.reasons import reason_text
from milo.admin.resources import ReviseAction, ReviseForm
from milo.admin.suggestions import SuggestedRow
from projects.models import Organization


class OpenForm(SpecFields):
    """The spec of a new account. The field `organization` is left out on the page of an organization."""

    organization = SuggestedRow(Organization.objects.all(), label=gettext_lazy("Organization"))
    name = Text(
        max_length=63,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Lower case letters, digits and '-'; unique in the organization, and fixed for ever."),
    )

    field_order = ("organization", "name", *SpecFields.field_order)
    fieldsets = (
        (None, {"fields": ("organization", "name", "display_name", "currency_code")}),
        *SpecFields.spec_fieldsets,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None:
            del self.fields["organization"]


class ReviseAccountForm(ReviseForm, SpecFields):
    field_order = (*SpecFields.field_order, "why")
    fieldsets = (
        (None, {"fields": ("display_name", "currency_code")}),
        *SpecFields.spec_fieldsets,
        (None, {"fields": ("why",)}),
    )
    paths = {**SpecFields.paths, **ReviseForm.paths}
    row: BillingAccount

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency_code"].disabled = self.row.first_ready_at is not None


class AccountAction(ServiceAction):
    """Show the resulting phase of the account and its reason."""

    def message(self, row: BillingAccount) -> str:
        return _("%(account)s is %(phase)s: %(why)s") % {
            "account": row,
            "phase": row.get_phase_display(),
            "why": refusal_text(row.phase_message) or reason_text(row.phase_reason),
        }

    def level(self, row: BillingAccount) -> int:
        return messages.SUCCESS if row.phase == BillingAccount.Phase.READY else messages.WARNING


class OpenAccount(AccountAction):
    """Offered in the list of accounts and on the page of an organization."""

    name = "open-account"
    title = gettext_lazy("Open account")
    icon = "add"
    variant = ActionVariant.PRIMARY
    verb, resource = "create", ACCOUNTS
    form_class = OpenForm

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccount:
        organization = self.row or values["organization"]
        return open_account(organization.pk, values["name"], spec_of(values, AccountSpec()), actor=actor)


class ReviseAccount(AccountAction, ReviseAction):
    resource = ACCOUNTS
    form_class = ReviseAccountForm

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return row.phase not in BillingAccount.READ_ONLY

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        return read_only_now(row)

    def values_of(self, row: BillingAccount) -> dict[str, Any]:
        return initial_of(AccountSpec.of(row))

    def revise(self, values: dict[str, Any], *, actor: Actor) -> BillingAccount:
        spec = spec_of(values, AccountSpec.of(self.row))
        return revise(self.row.pk, spec, why=values["why"], actor=actor, resource_version=values["resource_version"])

    def preview(self, values: dict[str, Any]) -> Facts:
        phases = [self.row.get_phase_display(), self.revised.get_phase_display()]
        becomes = [(_("Phase"), " \N{RIGHTWARDS ARROW} ".join(phases))] if phases[0] != phases[1] else []
        return [*becomes, *super().preview(values)]
