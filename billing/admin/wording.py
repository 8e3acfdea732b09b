"""Values of manifests worded for the staff site: fields by their labels, values without JSON syntax."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.payment_labels import FIELD_LABELS, METHOD_LABELS
from billing.models import BillingAccount, Hold, Suspension
from billing.terms.payment_amounts import amount_text
from milo.admin import wording
from milo.admin.messages import in_their_format, refusal_text
from milo.admin.panels import lines, number_text
from milo.admin.wording import words

UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MORE_ACTIONS = gettext_lazy("More actions")
"""The menu of what is done with an account less often."""
# fields of manifests that hold others, without a label of their own on the staff site
GROUPS = frozenset({"paymentTerms", "preferences"})


def read_only_now(account: BillingAccount) -> str:
    """Return why nothing can be done with an account in its phase."""
    return _("The account is %(phase)s, and stays as it is.") % {"phase": account.get_phase_display()}


def not_in_phase(account: BillingAccount, phases: Iterable[str]) -> str:
    """Return in which phases an action is possible, and in which the account is."""
    listed = ", ".join(str(BillingAccount.Phase(phase).label) for phase in phases)
    return _("The account is %(phase)s; possible while it is: %(phases)s.") % {
        "phase": account.get_phase_display(),
        "phases": listed,
    }


def label(name: str) -> str:
    """Return the label of a manifest's field or kind.

    It is that of a payment method or of a field of one, the verbose name of its column or model, or else its words.
    """
    if known := METHOD_LABELS.get(name) or FIELD_LABELS.get(name):
        return str(known)
    text = words(name)
    column = text.lower().replace(" ", "_")
    for model in (BillingAccount, Suspension, Hold):
        if model._meta.model_name == column:
            return str(capfirst(model._meta.verbose_name))
        for field in model._meta.concrete_fields:
            if field.name == column:
                return str(capfirst(field.verbose_name))
    return text


def readable(value: Any) -> str:
    """Return a value of a manifest on one line, fields by their labels, days as people read; a dash if it is empty."""
    return wording.readable(value, label=label, text=lambda scalar: in_their_format(str(scalar)))


def on_lines(value: Any) -> str:
    """Return a value of a manifest with each field or item on a line of its own."""
    if value and isinstance(value, dict):
        return lines(readable({name: inner}) for name, inner in sorted(value.items()))
    return lines(map(readable, value)) if value and isinstance(value, list) else readable(value)


def offer_accounts(
    field: Any, accounts: QuerySet[BillingAccount], offered: QuerySet[BillingAccount], *, nothing: str = ""
) -> None:
    """Let a field accept any of `accounts`, and suggest those `offered` by name and phase, or `nothing`."""
    field.queryset, field.offered, field.nothing = accounts, offered, nothing
    field.label_of = lambda account: f"{account.name} ({account.get_phase_display()})"


def money(amount: Decimal, currency_code: str) -> str:
    """Return an amount with its currency in the person's format: `1,234.50 EUR`, in German `1.234,50 EUR`."""
    text = amount_text(amount, currency_code)
    return f"{number_text(text)} {currency_code}"


def money_in_words(text: str) -> str:
    """Return an amount of a review, such as `1234.50 EUR`, in the person's format."""
    amount, currency_code = text.rsplit(" ", 1)
    return f"{number_text(amount)} {currency_code}"


def quantity(number: Decimal | str, unit: str) -> str:
    """Return a quantity of usage with its unit in the person's format: `1,234.5 s`, in German `1.234,5 s`."""
    return f"{number_text(number)} {unit}"


def and_more(number: int) -> str:
    """Return what stands below a part of a list: how many it leaves out."""
    return _("and %(count)s more") % {"count": number_text(number)}


def said(message: str) -> str:
    """Return the message of a change in words; a dash for none."""
    return refusal_text(message) or "-"
