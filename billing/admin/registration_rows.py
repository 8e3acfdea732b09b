"""Tax registrations in rows of a form: country and kind are chosen, the number is typed."""

import re
from itertools import count
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.admin.localized_names import country_choices, country_name
from billing.compliance.tax_numbers import Scheme
from billing.compliance.tax_registrations import TaxRegistration

# rows for more registrations than there are
_EMPTY_ROWS = 3
_NO_COUNTRY, _EU = "-", "EU"
# a scheme in brackets at the end of a line
_SCHEME = re.compile(r"\s*\(([^()]*)\)\s*$")
_SCHEMES = {
    Scheme.VAT: gettext_lazy("VAT"),
    Scheme.GST: gettext_lazy("GST"),
    Scheme.NATIONAL_BUSINESS_ID: gettext_lazy("National business ID"),
    Scheme.PERSONAL_ID: gettext_lazy("Personal ID"),
    Scheme.OTHER: gettext_lazy("Other kind"),
}


def registration_of(line: str) -> TaxRegistration:
    """Parse a line such as `DE DE136695976 (VAT)`; without a blank it is a country without a number."""
    country, _blank, rest = line.partition(" ")
    scheme = _SCHEME.search(rest)
    return TaxRegistration(country, rest[: scheme.start()] if scheme else rest, scheme[1] if scheme else "")


def line_of(registration: TaxRegistration) -> str:
    """Return the line of a registration."""
    line = f"{registration.country} {registration.number}"
    return f"{line} ({registration.scheme})" if registration.scheme else line


class RegistrationRows(forms.MultiWidget):
    """A row for each line of the field, and some empty ones.

    A form that a preview sends on has the lines themselves.
    """

    template_name = "billing/admin/registration_rows.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        # without any it would count as hidden
        super().__init__([UnfoldAdminTextInputWidget()], attrs)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        rows = [registration_of(line) for line in (value or "").splitlines()]
        rows += [TaxRegistration("", "")] * _EMPTY_ROWS
        self.widgets = [widget for number in range(1, len(rows) + 1) for widget in _widgets(number)]
        # unfold binds fields to a variable each, by which others are shown; rows would share one
        self.attrs.pop("x-model.fill", None)
        self.widgets_names = [f"_{number}" for number in range(len(self.widgets))]
        return super().get_context(
            name, [cell for row in rows for cell in (row.country, row.number, row.scheme)], attrs
        )

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        if name in data:
            return data[name]
        lines: list[str] = []
        for first in count(step=3):
            cells = [data.get(f"{name}_{first + each}") for each in range(3)]
            if None in cells:
                break
            country, number, scheme = cells
            if any(cells):
                lines.append(line_of(TaxRegistration(country or _NO_COUNTRY, number, scheme)))
        return "\n".join(lines)


def _widgets(number: int) -> list[forms.Widget]:
    # some registrations are of no country
    countries = [*country_choices(), (_EU, country_name(_EU))]
    country, kind = _("Country"), _("Kind")
    return [
        UnfoldAdminSelectWidget({"aria-label": f"{number}: {country}"}, [("", country), *countries]),
        UnfoldAdminTextInputWidget({"aria-label": f"{number}: {_('Number')}", "placeholder": _("Number")}),
        UnfoldAdminSelectWidget({"aria-label": f"{number}: {kind}"}, [("", kind), *_SCHEMES.items()]),
    ]
