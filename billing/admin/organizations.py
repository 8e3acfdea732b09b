"""The page of organizations, extended by their billing accounts."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.account_actions import OpenAccount
from billing.admin.default_account_form import SetDefaultAccount
from billing.admin.payer_change_actions import MoveOfOrganization
from billing.models import BillingAccount
from billing.services.default_accounts import default_of
from milo.admin.panels import Panel, first, link, list_address
from projects.admin.organizations import OrganizationAdmin
from projects.models import Organization

admin.site.unregister(Organization)


@admin.register(Organization)
class BilledOrganizationAdmin(OrganizationAdmin):
    fieldsets = (
        (None, {"fields": (*OrganizationAdmin.fieldsets[0][1]["fields"], "default_account_link")}),
        *OrganizationAdmin.fieldsets[1:],
    )
    object_actions = (OpenAccount, SetDefaultAccount, MoveOfOrganization, *OrganizationAdmin.object_actions)

    @admin.display(description=gettext_lazy("default account"))
    def default_account_link(self, row: Organization) -> str:
        return link(default_of(row))

    def panels(self, request: HttpRequest, row: Any) -> list[Panel]:
        return [self._accounts(row), *super().panels(request, row)]

    def _accounts(self, row: Organization) -> Panel:
        accounts, more = first(BillingAccount.objects.filter(organization=row).order_by("name"))
        return Panel(
            _("Billing accounts"),
            [_("Name"), _("Display name"), _("Currency"), _("Phase")],
            [
                [link(account), account.display_name, account.currency_code, account.get_phase_display()]
                for account in accounts
            ],
            more=list_address(BillingAccount, organization__id__exact=row.pk) if more else "",
        )
