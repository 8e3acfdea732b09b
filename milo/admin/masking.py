"""Masking of card numbers wherever the staff site repeats what was typed."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib.messages.storage.fallback import FallbackStorage
from django.forms import BoundField, Field
from django.forms.renderers import DjangoTemplates
from django.forms.utils import ErrorList

from milo import card_numbers


class MaskedErrors(ErrorList):
    """Error messages of a form, masked."""

    def __getitem__(self, index: Any) -> Any:
        message = super().__getitem__(index)
        return card_numbers.masked(message) if isinstance(message, str) else message


_STARS = re.compile(r"\*(?:[^0-9A-Za-z*]{0,3}\*){12}")


def is_masked(value: Any) -> bool:
    """Return whether a text, or one of a list, contains a masked number."""
    if isinstance(value, list):
        return any(map(is_masked, value))
    return isinstance(value, str) and _STARS.search(value) is not None


class MaskedField(BoundField):
    """A form field that masks its value when a refused form is shown again.

    The form of a preview keeps its values: it is submitted again unchanged, and its action was tried with them.
    """

    def value(self) -> Any:
        value = super().value()
        if not (self.form.is_bound and self.form.errors):
            return value
        return _masked(value, card_numbers.masked_lines if _is_of_lines(self.field) else card_numbers.masked)


def lines_of(form_class: Any) -> set[str]:
    """Return the names of the fields of a form that have a value on each line, to be masked by itself."""
    return {name for name, field in form_class.base_fields.items() if _is_of_lines(field)}


def _is_of_lines(field: Field) -> bool:
    return getattr(field, "of_lines", False)


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return mask(value) if isinstance(value, str) else value


class MaskedRenderer(DjangoTemplates):
    """Form renderer with masked fields. For the setting FORM_RENDERER."""

    bound_field_class = MaskedField


class MaskedMessages(FallbackStorage):
    """Storage of masked messages. For the setting MESSAGE_STORAGE."""

    def add(self, level: int, message: Any, extra_tags: str | None = "") -> None:
        # a masked message is no longer safe markup: masking turns compatibility forms of < into <
        masked = card_numbers.masked(str(message))
        super().add(level, message if masked == str(message) else masked, extra_tags)
