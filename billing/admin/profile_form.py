"""The form fields of an account's payment profile: a method, and a field for each reference of it."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.localized_names import country_choices
from billing.admin.payment_labels import CHOICE_LABELS, FIELD_LABELS, METHOD_LABELS
from billing.payment_profile import payment_forms
from billing.payment_profile.payment_fields import FIELDS, REFERENCE_LENGTH
from billing.payment_profile.profiles import FIELD, method_of, methods
from milo.admin.forms import ActForm, Day, Number, SearchedSelect, Select, Text, Tick
from milo.errors import Cause

Profile = dict[str, Any] | None
_NONE = ("", gettext_lazy("Not given"))
_UPPER = re.compile("(?=[A-Z])")


class ProfileFields(ActForm):
    """The method, and the fields of all methods; those of others than the chosen one are hidden, or refused."""

    payment_method = Select(
        required=False,
        choices=lambda: [_NONE, *((name, METHOD_LABELS[name]) for name in methods())],
        label=gettext_lazy("Payment method"),
        help_text=gettext_lazy("References of the payment provider or the bank, never numbers that one can pay with."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conditional_fields = {}
        for field, name in DETAILS.items():
            holders = [member for member, method in methods().items() if name in method.fields]
            self.conditional_fields[field] = shown = f"{holders}.includes(payment_method)"
            # a field that is hidden is not sent
            self.fields[field].widget.attrs["x-bind:disabled"] = f"!{shown}"

    def clean(self) -> dict[str, Any]:
        """Refuse references without a method, and those that the method does not have."""
        values = super().clean() or {}
        method = values.get("payment_method")
        for field, name in DETAILS.items():
            if not values.get(field):
                continue
            if not method and "payment_method" not in self.errors:
                self.add_error("payment_method", _("choose the method that the references are of"))
            elif method and name not in methods()[method].fields:
                self.add_error(field, _("belongs to another payment method than the one chosen"))
        return values

    def _field_of(self, cause: Cause) -> str | None:
        if not cause.field.startswith(FIELD):
            return super()._field_of(cause)
        name = cause.field.rpartition(".")[2]
        return _field_name(name) if name in FIELDS else "payment_method"


def _field_name(name: str) -> str:
    """Return the name of the form's field for a field of the profile: `mandate_reference` for `mandateReference`."""
    return "_".join(_UPPER.split(name)).lower()


def _field(name: str) -> forms.Field:
    kind = FIELDS[name]
    options: dict[str, Any] = {"required": False, "label": FIELD_LABELS[name]}
    if name in CHOICE_LABELS:
        return Select(choices=[_NONE, *CHOICE_LABELS[name].items()], **options)
    if kind.form is payment_forms.country:
        return SearchedSelect(choices=lambda: [_NONE, *country_choices()], **options)
    if kind.format == "date":
        return Day(**options)
    if kind.type is str:
        return Text(max_length=REFERENCE_LENGTH, **options)
    return Tick(**options) if kind.type is bool else Number(**options)


# the fields of the profile by those of the form, in the order of the form
DETAILS = {_field_name(name): name for name in FIELDS}
ProfileFields.base_fields.update({field: _field(name) for field, name in DETAILS.items()})


def profile_of(values: dict[str, Any]) -> Profile:
    """Return the payment profile of the form's values; None if no method is chosen."""
    method = values["payment_method"]
    if not method:
        return None
    given = {name: values[field] for field, name in DETAILS.items() if values[field] not in (None, "", False)}
    return {method: {name: _text(name, given[name]) for name in given if name in methods()[method].fields}}


def _text(name: str, value: Any) -> Any:
    return value.isoformat() if FIELDS[name].format == "date" else value


def initial_profile(profile: Profile) -> dict[str, Any]:
    """Return the initial values of the form for a profile."""
    method = method_of(profile)
    details = (profile or {}).get(method, {})
    return {"payment_method": method, **{field: details.get(name) for field, name in DETAILS.items()}}
