"""What the staff site says of what was typed: without card numbers."""

import re
from typing import Any

from django.contrib.messages.storage.fallback import FallbackStorage
from django.forms import BoundField
from django.forms.renderers import DjangoTemplates
from django.forms.utils import ErrorList

from milo import card_numbers


class MaskedErrors(ErrorList):
    """The messages at a field of a form, or above it."""

    def __getitem__(self, index: Any) -> Any:
        message = super().__getitem__(index)
        return card_numbers.masked(message) if isinstance(message, str) else message


_STARS = re.compile(r"\*(?:[^0-9A-Za-z*]{0,3}\*){12}")


def is_masked(value: Any) -> bool:
    """Whether a text, or one of a list, holds a number that was masked: what was shown with stars is typed again."""
    if isinstance(value, list):
        return any(map(is_masked, value))
    return isinstance(value, str) and _STARS.search(value) is not None


class MaskedField(BoundField):
    """A field of a form, which is shown again without card numbers where the form is refused.

    The form of a preview keeps what was typed: it is sent again as it is, and its act was tried with it.
    """

    def value(self) -> Any:
        value = super().value()
        return _masked(value) if self.form.is_bound and self.form.errors else value


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return card_numbers.masked(value) if isinstance(value, str) else value


class MaskedRenderer(DjangoTemplates):
    """For the setting FORM_RENDERER."""

    bound_field_class = MaskedField


class MaskedMessages(FallbackStorage):
    """The messages on the next page, for the setting MESSAGE_STORAGE."""

    def add(self, level: int, message: Any, extra_tags: str | None = "") -> None:
        # markup of which a part is masked is markup no more: compatibility forms of < become one
        masked = card_numbers.masked(str(message))
        super().add(level, message if masked == str(message) else masked, extra_tags)
