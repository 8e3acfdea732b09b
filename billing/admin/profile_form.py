"""The form fields of an account's payment profile: a credit card, or any other method with its references."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.payment_profile.payment_fields import FIELDS, REFERENCE_LENGTH
from billing.payment_profile.profiles import FIELD, method_of, methods
from milo.admin.forms import ActForm, Lines, Select, Text
from milo.errors import Cause

Profile = dict[str, Any] | None
_CONSTANTS = {"true": True, "false": False}


class ProfileFields(ActForm):
    """A credit card reference, or another payment method; both at once are refused."""

    card_reference = Text(
        max_length=REFERENCE_LENGTH,
        required=False,
        label=gettext_lazy("Credit card reference"),
        help_text=gettext_lazy("The payment provider's reference, never the card's number."),
    )
    payment_method = Select(
        required=False,
        choices=lambda: [("", _("None, or the card above")), *((name, name) for name in methods())],
        label=gettext_lazy("Payment method"),
    )
    payment_details = Lines(
        required=False,
        label=gettext_lazy("References of the payment method"),
        help_text=gettext_lazy("One a line, as mandateReference: M-1. A refusal names those that are missing."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("card_reference") and values.get("payment_method"):
            self.add_error("payment_method", _("give a credit card reference or another method, not both"))
        return values

    def _field_of(self, cause: Cause) -> str | None:
        if cause.field.startswith(FIELD) and self.cleaned_data.get("payment_method"):
            return "payment_details"
        return super()._field_of(cause)


def profile_of(values: dict[str, Any]) -> Profile:
    """Return the payment profile of the form's values; None if no method is chosen."""
    if method := values["payment_method"]:
        return {method: dict(_detail(line) for line in values["payment_details"])}
    return {"creditCard": {"cardReference": values["card_reference"]}} if values["card_reference"] else None


def _detail(line: str) -> tuple[str, Any]:
    name, _colon, text = (part.strip() for part in line.partition(":"))
    field = FIELDS.get(name)
    if field and field.type is int and text.isascii() and text.isdigit() and len(text) < 10:
        return name, int(text)
    return name, _CONSTANTS.get(text, text) if field and field.type is bool else text


def initial_profile(profile: Profile) -> dict[str, Any]:
    """Return the initial values of the form for a profile. A card with only a reference uses the card field."""
    method = method_of(profile)
    details = (profile or {}).get(method, {})
    if method == "creditCard" and set(details) == {"cardReference"}:
        return {"card_reference": details["cardReference"], "payment_method": "", "payment_details": []}
    return {"card_reference": "", "payment_method": method, "payment_details": profile_lines(profile)}


def profile_lines(profile: Profile) -> list[str]:
    """Return the references of a profile in the syntax of the form: one per line, `name: value`."""
    details = (profile or {}).get(method_of(profile), {})
    return [f"{name}: {str(value).lower() if isinstance(value, bool) else value}" for name, value in details.items()]
