"""Holds, which keep an account from being closed and purged: set on the account's page, released by approval."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import ACCOUNTS
from billing.admin.wording import MORE_ACTIONS
from billing.models import BillingAccount, Hold
from billing.services.holds import set_hold
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Paragraph, Select
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import link
from milo.admin.related_filters import RelatedFilter


class HoldForm(ActForm):
    type = Select(choices=[("", ""), *Hold.Type.choices], label=gettext_lazy("Type"))
    message = Paragraph(
        max_length=2000,
        required=False,
        label=gettext_lazy("Message for customers"),
        help_text=gettext_lazy("Shown with the hold in the API, in notices and in requests for its release."),
    )
    reason = Paragraph(
        max_length=2000,
        required=False,
        label=gettext_lazy("Internal note"),
        help_text=gettext_lazy("Customers never see it."),
    )

    paths = {"spec.type": "type", "spec.message": "message", "message": "message", "spec.internalNote": "reason"}


class SetHold(ServiceAction):
    """Offered on the page of an account."""

    name = "hold"
    title = gettext_lazy("Set hold")
    icon = "front_hand"
    menu = MORE_ACTIONS
    verb, resource, action = "create", ACCOUNTS, "hold"
    form_class = HoldForm

    def facts(self) -> Facts:
        return [
            (_("Billing account"), link(self.row)),
            (
                _("What will happen"),
                _("The account cannot be closed and its data not purged until a second person approves the release."),
            ),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccount:
        return set_hold(self.row.pk, **values, actor=actor).account

    def message(self, row: BillingAccount) -> str:
        return _("%(account)s is on hold.") % {"account": row}


@admin.register(Hold)
class HoldAdmin(LedgerAdmin):
    resource = ACCOUNTS
    icon = "front_hand"
    nothing_yet = gettext_lazy("A hold is set by a button on the page of its account.")
    list_display = ("type", "account_link", "set_at", "set_by", "released_at", "released_by")
    list_filter = (
        ("account", RelatedFilter),
        ("type", ChoicesDropdownFilter),
        ("released_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("account",)
    search_fields = ("account__name", "set_by", "released_by", "uid")
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "account_link",
                    "type",
                    "message",
                    "reason",
                    "set_at",
                    "set_by",
                    "release_reason",
                    "released_at",
                    "released_by",
                    "uid",
                )
            },
        ),
    )

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: Hold) -> str:
        return link(row.account)
