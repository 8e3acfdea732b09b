"""The acts on billing accounts: opening and revising."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing import currencies
from billing.access import ACCOUNTS
from billing.models import BillingAccount
from billing.payment_profile import REFERENCE_LENGTH
from billing.payment_terms import INVOICE_DAYS, MAX_NET_DAYS, InvoiceFrequency, PaymentTerms
from billing.services.accounts import AccountSpec, open_account, revise
from milo.access import Actor
from milo.admin.actions import ServiceAction
from milo.admin.forms import ActForm, Lines, Number, Row, Select, Text
from projects.admin.resources import SeenAction, SeenForm
from projects.models import Organization

NOT_YET = ("", gettext_lazy("Not known yet"))


class SpecFields(ActForm):
    """What an account is asked to be; what is left empty keeps it Incomplete."""

    display_name = Text(max_length=200, required=False, label=gettext_lazy("Display name"))
    currency_code = Select(
        required=False,
        choices=lambda: [NOT_YET, *currencies.choices()],
        label=gettext_lazy("Currency"),
        help_text=gettext_lazy("ISO 4217; fixed once the account has been Ready."),
    )
    net_days = Number(
        required=False,
        min_value=0,
        max_value=MAX_NET_DAYS,
        label=gettext_lazy("Net days"),
        help_text=gettext_lazy("Calendar days from invoice to due date."),
    )
    invoice_frequency = Select(
        required=False, choices=[NOT_YET, *InvoiceFrequency.choices], label=gettext_lazy("Invoice frequency")
    )
    invoice_day_of_month = Number(
        required=False,
        min_value=INVOICE_DAYS[0],
        max_value=INVOICE_DAYS[1],
        label=gettext_lazy("Invoice day of month"),
        help_text=gettext_lazy("1 to 28, the days that every month has."),
    )
    card_reference = Text(
        max_length=REFERENCE_LENGTH,
        required=False,
        label=gettext_lazy("Credit card reference"),
        help_text=gettext_lazy("The payment provider's reference, never the card's number."),
    )
    invoice_email_addresses = Lines(
        required=False, label=gettext_lazy("Invoice e-mail addresses"), help_text=gettext_lazy("One a line.")
    )

    paths = {
        "metadata.name": "name",
        "spec.displayName": "display_name",
        "spec.currencyCode": "currency_code",
        "spec.paymentTerms.netDays": "net_days",
        "spec.paymentTerms.invoiceFrequency": "invoice_frequency",
        "spec.paymentTerms.invoiceDayOfMonth": "invoice_day_of_month",
        "spec.paymentProfile": "card_reference",
        "spec.invoiceEmailAddresses": "invoice_email_addresses",
    }


class OpenForm(SpecFields):
    """On the page of an organization it does not ask for one."""

    organization = Row(Organization.objects.order_by("name"), label=gettext_lazy("Organization"))
    name = Text(
        max_length=63,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Lower case letters, digits and '-'; unique in the organization, and fixed for ever."),
    )

    field_order = ("organization", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None:
            del self.fields["organization"]


class ReviseForm(SeenForm, SpecFields):
    row: BillingAccount

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency_code"].disabled = self.row.first_ready_at is not None


def card_reference(profile: dict[str, Any] | None) -> str:
    """The reference of a profile that is a credit card; empty for any other."""
    return str((profile or {}).get("creditCard", {}).get("cardReference", ""))


def spec_of(values: dict[str, Any], before: AccountSpec) -> AccountSpec:
    """`before` with what the form asks; a payment method that the form does not know stays until a card replaces it."""
    reference = values["card_reference"]
    profile = before.payment_profile
    if reference != card_reference(profile):
        profile = {"creditCard": {"cardReference": reference}} if reference else None
    return replace(
        before,
        display_name=values["display_name"],
        currency_code=values["currency_code"],
        payment_terms=PaymentTerms(
            values["net_days"], values["invoice_frequency"] or None, values["invoice_day_of_month"]
        ),
        payment_profile=profile,
        invoice_email_addresses=values["invoice_email_addresses"],
    )


class AccountAction(ServiceAction):
    """Tells in which phase the act left the account, and why."""

    def message(self, row: BillingAccount) -> str:
        return _("%(account)s is %(phase)s: %(why)s") % {
            "account": row,
            "phase": row.get_phase_display(),
            "why": row.phase_message or row.phase_reason,
        }

    def level(self, row: BillingAccount) -> int:
        return messages.SUCCESS if row.phase == BillingAccount.Phase.READY else messages.WARNING


class OpenAccount(AccountAction):
    """In the list of accounts, and on the page of an organization."""

    name = "open-account"
    title = gettext_lazy("Open account")
    icon = "add"
    variant = ActionVariant.PRIMARY
    verb, resource = "create", ACCOUNTS
    form_class = OpenForm

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccount:
        organization = self.row or values["organization"]
        return open_account(organization.pk, values["name"], spec_of(values, AccountSpec()), actor=actor)


class ReviseAccount(AccountAction, SeenAction):
    name = "revise"
    title = gettext_lazy("Revise")
    icon = "edit"
    verb, resource = "update", ACCOUNTS
    form_class = ReviseForm

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return row.phase not in BillingAccount.READ_ONLY

    def get_initial(self) -> dict[str, Any]:
        account: BillingAccount = self.row
        return {
            **super().get_initial(),
            "display_name": account.display_name,
            "currency_code": account.currency_code,
            "net_days": account.net_days,
            "invoice_frequency": account.invoice_frequency,
            "invoice_day_of_month": account.invoice_day_of_month,
            "card_reference": card_reference(account.payment_profile),
            "invoice_email_addresses": account.invoice_email_addresses,
        }

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccount:
        spec = spec_of(values, AccountSpec.of(self.row))
        return revise(self.row.pk, spec, actor=actor, resource_version=values["resource_version"])
