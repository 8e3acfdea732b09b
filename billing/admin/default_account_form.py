"""The default account of an organization: which account pays for its new projects."""

from typing import Any

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.wording import offer_accounts
from billing.models import BillingAccount
from billing.services.default_accounts import DEFAULT_FIELD, default_of, set_default
from milo.access import Actor
from milo.admin.actions import Facts
from milo.admin.panels import link
from milo.admin.resources import SeenAction, SeenForm
from milo.admin.suggestions import SuggestedRow
from projects.access import ORGANIZATIONS
from projects.models import Organization
from projects.services.organizations import OrganizationSpec


class DefaultAccountForm(SeenForm):
    """Offer the accounts of the organization that are not closed, and nobody."""

    account = SuggestedRow(
        BillingAccount.objects.none(),
        required=False,
        label=gettext_lazy("Account that pays for new projects"),
        help_text=gettext_lazy("Empty: nobody. Existing projects stay as they are."),
    )

    paths = {DEFAULT_FIELD: "account"}
    row: Organization

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = BillingAccount.objects.filter(organization=self.row)
        open_ones = accounts.exclude(phase__in=BillingAccount.READ_ONLY)
        offer_accounts(self.fields["account"], accounts, open_ones, nothing=_("nobody"))


class SetDefaultAccount(SeenAction):
    name = "default-account"
    title = gettext_lazy("Set default account")
    icon = "account_balance_wallet"
    verb, resource = "update", ORGANIZATIONS
    form_class = DefaultAccountForm

    def get_initial(self) -> dict[str, Any]:
        default = default_of(self.row)
        return {**super().get_initial(), "account": default.pk if default else ""}

    def facts(self) -> Facts:
        default = default_of(self.row)
        return [(_("Organization"), link(self.row)), (_("Default account"), link(default) if default else _("nobody"))]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Organization:
        account, spec = values["account"], OrganizationSpec(self.row.display_name)
        return set_default(
            self.row.pk,
            spec,
            account.name if account else "",
            actor=actor,
            resource_version=values["resource_version"],
        )

    def message(self, row: Organization) -> str:
        default, warning = default_of(row), str(getattr(row, "unbound_warning", ""))
        if default is None:
            return _("Nobody pays for new projects of %(organization)s.") % {"organization": row}
        values = {"account": default, "organization": row}
        pays = _("%(account)s pays for new projects of %(organization)s.") % values
        return f"{pays} {warning[:1].upper()}{warning[1:]}".strip()

    def level(self, row: Organization) -> int:
        return messages.WARNING if getattr(row, "unbound_warning", "") else messages.SUCCESS
