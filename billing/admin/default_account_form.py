"""The default account of an organization: which account pays for its new projects."""

from typing import Any

from django.contrib import messages
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.wording import offer_accounts
from billing.models import BillingAccount
from billing.services.default_accounts import DEFAULT_FIELD, default_of, set_default
from milo.access import Actor
from milo.admin.actions import Facts
from milo.admin.messages import refusal_text
from milo.admin.panels import link
from milo.admin.resources import ReviseAction, ReviseForm
from milo.admin.suggestions import SuggestedRow
from projects.access import ORGANIZATIONS
from projects.models import Organization
from projects.services.organizations import OrganizationSpec


class DefaultAccountForm(ReviseForm):
    """Offer the accounts of the organization that are not closed, and nobody."""

    account = SuggestedRow(
        BillingAccount.objects.none(),
        required=False,
        label=gettext_lazy("Account that pays for new projects"),
        help_text=gettext_lazy("Empty: nobody. Existing projects stay as they are."),
    )

    field_order = ("account", "why")
    paths = {**ReviseForm.paths, DEFAULT_FIELD: "account"}
    row: Organization

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = BillingAccount.objects.filter(organization=self.row)
        open_ones = accounts.exclude(phase__in=BillingAccount.READ_ONLY)
        offer_accounts(self.fields["account"], accounts, open_ones, nothing=_("nobody"))


def unbound(organization: Organization) -> str:
    """Return the sentence of `set_default` about projects that stay without a payer; "" if there are none."""
    return capfirst(refusal_text(getattr(organization, "unbound_warning", "")))


class SetDefaultAccount(ReviseAction):
    name = "default-account"
    title = gettext_lazy("Set default account")
    icon = "account_balance_wallet"
    resource = ORGANIZATIONS
    form_class = DefaultAccountForm

    def values_of(self, row: Organization) -> dict[str, Any]:
        return {"account": default_of(row)}

    def facts(self) -> Facts:
        default = default_of(self.row)
        return [(_("Organization"), link(self.row)), (_("Default account"), link(default) if default else _("nobody"))]

    def revise(self, values: dict[str, Any], *, actor: Actor) -> Organization:
        account, spec = values["account"], OrganizationSpec(self.row.display_name)
        return set_default(
            self.row.pk,
            spec,
            account.name if account else "",
            why=values["why"],
            actor=actor,
            resource_version=values["resource_version"],
        )

    def preview(self, values: dict[str, Any]) -> Facts:
        warning = unbound(self.revised)
        return [*super().preview(values), *([(_("Note"), warning)] if warning else [])]

    def message(self, row: Organization) -> str:
        default, warning = default_of(row), unbound(row)
        if default is None:
            return _("Nobody pays for new projects of %(organization)s.") % {"organization": row}
        values = {"account": default, "organization": row}
        pays = _("%(account)s pays for new projects of %(organization)s.") % values
        return f"{pays} {warning}".strip()

    def level(self, row: Organization) -> int:
        return messages.WARNING if unbound(row) else messages.SUCCESS
