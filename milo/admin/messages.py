"""Messages of refusals as people read them: fields and codes by their labels, times and amounts in their format."""

import re
from collections.abc import Callable
from datetime import date, datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from milo.admin.panels import day_text, moment
from milo.admin.reasons import message_text, reason, reason_text
from milo.admin.stored_texts import in_their_language

# no part of a name, such as that of a charge
_TIME = re.compile(
    r"(?<![\w-])[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|\+00:00| UTC))?(?![\w-])",
    re.ASCII,
)
_values: dict[re.Pattern[str], Callable[[str], str]] = {}


def register_values(pattern: str, wording: Callable[[str], str]) -> None:
    """Register how what `pattern` finds in messages, such as an amount or a text of ours, is worded for a person."""
    _values[re.compile(pattern)] = wording


def refusal_text(message: str) -> str:
    """Return a message in words and in the language of the person, with instants in their zone."""
    return in_their_format(message_text(in_their_language(message)))


def why(summary: str) -> SafeString | str:
    """Return "REASON: MESSAGE" of a change with the label of its reason, and its message in words."""
    code, colon, message = summary.partition(": ")
    return format_html("{}{}{}", reason(code), colon, refusal_text(message))


def why_text(summary: str) -> str:
    """Return what `why` says, without markup."""
    code, colon, message = summary.partition(": ")
    return f"{reason_text(code)}{colon}{refusal_text(message)}"


def in_their_format(text: str) -> str:
    """Return a text with the days, instants and registered values inside it in the person's format."""
    for pattern, wording in _values.items():
        text = pattern.sub(lambda value: wording(value[0]), text)  # noqa: B023  # called at once
    return _TIME.sub(lambda value: _time(value[0]), text)


def _time(text: str) -> str:
    try:
        if len(text) == len("2026-01-31"):
            return day_text(date.fromisoformat(text))
        return moment(datetime.fromisoformat(text.replace(" UTC", "Z")))
    except ValueError:
        return text
