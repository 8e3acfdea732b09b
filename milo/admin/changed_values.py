"""Changed columns as people read them: values by their labels, with codes and UTC as titles."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import CharField, Model, TextField
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from milo.admin.messages import in_their_format, refusal_text
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
        if not column.editable and is_code(value):
            return reason(value)
    return readable(value, label=label, text=_wording(column))


def _wording(column: Any) -> Callable[[Any], str]:
    """Return what words a scalar of a column. People write texts that are editable, services those that are not."""
    if not isinstance(column, CharField | TextField):
        return lambda scalar: in_their_format(str(scalar))
    return str if column.editable else refusal_text
