"""Log lines of structlog and of the standard library in one format: with the request id, without local variables.

If `rich` is installed, structlog prints every local variable of a traceback by default: tokens, password hashes.
"""

import logging.config
import re
import sys
from collections.abc import MutableMapping
from traceback import format_exception
from typing import Any, TextIO

import structlog

from milo import card_numbers

# PostgreSQL repeats the whole row that broke a constraint
_ROW = re.compile(r"^DETAIL:.*?(?=^(?:HINT|CONTEXT|QUERY|LINE [0-9]+):|^$|\Z)", re.MULTILINE | re.DOTALL)
Event = MutableMapping[str, Any]


def configure(standard_library: dict[str, Any]) -> None:
    """Configure both libraries. Django calls it as LOGGING_CONFIG with LOGGING."""
    structlog.configure(
        processors=[*_COMMON, _RENDERER],
        # the current standard error; standard output is for the results of commands
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )
    logging.config.dictConfig(standard_library)


def formatter() -> logging.Formatter:
    """Return a formatter that writes lines of the standard library like structlog's, for the setting LOGGING."""
    cleaned = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_COMMON, processors=[cleaned, _RENDERER])


class StandardError(logging.StreamHandler[TextIO]):
    """A handler that writes to the current `sys.stderr`, also after it was replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def only_tracebacks() -> Any:
    """Return a filter for Django's lines about answers. Those without an exception only repeat the request line."""
    return lambda record: bool(record.exc_info)


def without_card_numbers(_logger: Any, _method: str, event: Event) -> Event:
    """Mask the card numbers of each text."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = card_numbers.masked(value)
    return event


def _plain_traceback(out: TextIO, error: Any) -> None:
    text = _ROW.sub("DETAIL: (left out)\n", "".join(format_exception(*error)))
    out.write("\n" + "\n".join(map(card_numbers.masked, text.splitlines())))


_COMMON: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper("iso", utc=True),
    without_card_numbers,
]
_RENDERER = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=_plain_traceback)
