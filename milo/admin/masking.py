"""What the staff site says of what was typed: without card numbers."""

from typing import Any

from django.contrib.messages.storage.fallback import FallbackStorage
from django.forms.utils import ErrorList

from milo import card_numbers


class MaskedErrors(ErrorList):
    """The messages at a field of a form, or above it."""

    def __getitem__(self, index: Any) -> Any:
        message = super().__getitem__(index)
        return card_numbers.masked(message) if isinstance(message, str) else message


class MaskedMessages(FallbackStorage):
    """The messages on the next page, for the setting MESSAGE_STORAGE."""

    def add(self, level: int, message: Any, extra_tags: str | None = "") -> None:
        # markup of which a part is masked is markup no more: compatibility forms of < become one
        masked = card_numbers.masked(str(message))
        super().add(level, message if masked == str(message) else masked, extra_tags)
