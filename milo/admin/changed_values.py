"""Changed columns as people read them: values by their labels, with codes and UTC as titles."""

from datetime import datetime
from typing import Any

from django.db.models import Model
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from milo.admin.messages import refusal_text
from milo.admin.panels import instant
from milo.admin.reasons import coded, is_code, reason
from milo.admin.wording import label, readable


def change_in_words(model: type[Model], name: str, before: Any, after: Any) -> SafeString:
    """Return a changed column of `model` with its values before and after."""
    column = model._meta.get_field(name)
    title = capfirst(str(getattr(column, "verbose_name", name)))
    return format_html(
        "{}: {} \N{RIGHTWARDS ARROW} {}",
        title,
        *(value_in_words(column, value) for value in (before, after)),
    )


def value_in_words(column: Any, value: Any) -> SafeString | str:
    """Return the value of a column: choices, fields and reasons by their labels, times in the site's format."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, str):
        # fields of a manifest, such as those of a payment profile, are no choices, nor could they be looked up
        choices: dict[Any, str | Promise] = dict(getattr(column, "flatchoices", None) or ())
        if value in choices:
            return coded(value, str(choices[value]))
        if is_code(value):
            return reason(value)
    return readable(value, label=label, text=lambda scalar: refusal_text(str(scalar)))
