"""The read-only list and page of charges; only the external billing system reports and settles them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from billing.access import CHARGES
from billing.admin.wording import money
from billing.models import Charge
from milo.admin.attention import attention
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import Attention, link
from milo.admin.related_filters import RelatedFilter
from milo.admin.resources import METADATA

DUE, OVERDUE, OUTSTANDING, SETTLED = "due", "overdue", "outstanding", "settled"


class DueFilter(DropdownFilter):
    """Whether a charge is settled, and if not, whether the day is past (UTC)."""

    title = gettext_lazy("payment")
    parameter_name = DUE

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(OVERDUE, _("Overdue")), (OUTSTANDING, _("Outstanding")), (SETTLED, _("Settled"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Charge]:
        charges: QuerySet[Charge] = queryset
        if self.value() == OVERDUE:
            return queryset.overdue(timezone.now().date())
        if self.value() == OUTSTANDING:
            return queryset.unsettled()
        return charges.exclude(settled_at=None) if self.value() == SETTLED else charges


@admin.register(Charge)
class ChargeAdmin(LedgerAdmin):
    resource = CHARGES
    icon = "receipt_long"
    nothing_yet = gettext_lazy("Charges are reported by the invoicing system through the API.")
    list_display = ("external_id", "account_link", "amount_due", "due_date", "settled_at", "settlement_reference")
    export_display = (
        "external_id",
        "name",
        "organization_link",
        "account_link",
        "amount",
        "currency_code",
        "due_date",
        "description",
        "settled_at",
        "settlement_reference",
        "sub_account_link",
        "month",
    )
    list_filter = (
        ("organization", RelatedFilter),
        ("account", RelatedFilter),
        DueFilter,
    )
    list_select_related = ("account", "sub_account", "organization")
    search_fields = ("external_id", "name", "account__name", "settlement_reference", "uid")
    ordering = ("-due_date",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "external_id",
                    "name",
                    "account_link",
                    "sub_account_link",
                    "month",
                    "amount_due",
                    "due_date",
                    "description",
                    "settled_at",
                    "settlement_reference",
                )
            },
        ),
        METADATA,
    )

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: Charge) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("sub-account"), ordering="sub_account__name")
    def sub_account_link(self, row: Charge) -> str:
        return link(row.sub_account) if row.sub_account else ""

    @admin.display(description=gettext_lazy("organization"), ordering="organization__name")
    def organization_link(self, row: Charge) -> str:
        return link(row.organization)

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def amount_due(self, row: Charge) -> str:
        return money(row.amount, row.currency_code)

    def attention(self, request: HttpRequest) -> list[Attention]:
        overdue = Charge.objects.overdue(timezone.now().date())
        return [attention(_("Overdue charges"), overdue, "due_date", self.list_address(**{DUE: OVERDUE}))]
