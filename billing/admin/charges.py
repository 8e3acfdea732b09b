"""The read-only list and page of charges; only the external billing system reports and settles them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.access import CHARGES
from billing.models import Charge
from billing.terms.payment_amounts import money_text
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import link
from milo.admin.resources import METADATA


@admin.register(Charge)
class ChargeAdmin(LedgerAdmin):
    resource = CHARGES
    icon = "receipt_long"
    list_display = ("external_id", "account_link", "amount_due", "due_date", "settled_at", "settlement_reference")
    list_filter = (
        ("organization", AutocompleteSelectFilter),
        ("account", AutocompleteSelectFilter),
        ("settled_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("account",)
    search_fields = ("external_id", "name", "account__name", "settlement_reference", "uid")
    ordering = ("-due_date", "pk")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "external_id",
                    "name",
                    "account_link",
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

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def amount_due(self, row: Charge) -> str:
        return money_text(row.amount, row.currency_code)
