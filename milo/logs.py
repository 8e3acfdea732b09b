"""Log lines of structlog and of the standard library in one format: JSON, or text for a terminal.

`configure` is where to start. Each line has the ids of its request and trace. No line has values of rows, statements,
requests or mails: exceptions are described by milo/error_texts.py, also as a value of an event (`error=error`) and as
an argument of the standard library's. Card numbers, e-mail addresses and what follows `?` and `user:` in URLs are
masked in every text.
"""

import json
import logging.config
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import structlog
from django.conf import settings

from milo import card_numbers, data_folder, email_addresses, error_texts

_PERSONAL = re.compile(rf"(?P<credentials>(?<=://)[^\s/@]+@)|{email_addresses.IN_TEXT.pattern}")
_QUERY = re.compile(r"(?<=[^\s?])\?[^\s'\"<>)]+")
MASK = "***"
Event = MutableMapping[str, Any]


def configure(standard_library: dict[str, Any]) -> None:
    """Configure both libraries. Django calls it as LOGGING_CONFIG with LOGGING."""
    structlog.configure(
        processors=[*_COMMON, _renderer()],
        # the current standard error; standard output is for the results of commands
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )
    logging.config.dictConfig(standard_library)


def formatter() -> logging.Formatter:
    """Return a formatter that writes lines of the standard library like structlog's, for the setting LOGGING."""
    cleaned = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    chain = [structlog.stdlib.add_logger_name, *_COMMON]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=chain, processors=[cleaned, _renderer()])


class StandardError(logging.StreamHandler[TextIO]):
    """A handler that writes to the current `sys.stderr`, also after it was replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def format(self, record: logging.LogRecord) -> str:
        """Format a line whose arguments are errors with their descriptions."""
        described = logging.makeLogRecord(record.__dict__)
        described.msg = _described(record.msg)
        if isinstance(record.args, tuple):
            described.args = tuple(map(_described, record.args))
        elif record.args:
            described.args = {name: _described(it) for name, it in record.args.items()}
        return super().format(described)


def only_tracebacks() -> Any:
    """Return a filter for Django's lines about answers. Those without an exception only repeat the request line."""

    def admit(record: logging.LogRecord) -> bool:
        # the path, which Django puts into the message, may be a link that logs in
        record.msg, record.args = "unhandled_error", ()
        return bool(record.exc_info)

    return admit


def masked(text: str) -> str:
    """Return a text without card numbers, e-mail addresses, queries and credentials of URLs, and rows."""
    if "\n" in text:
        text = error_texts.without_details(text)
    if "@" in text:
        text = _PERSONAL.sub(lambda found: f"{MASK}@" if found["credentials"] else MASK, text)
    if "?" in text:
        text = _QUERY.sub(f"?{MASK}", text)
    return card_numbers.masked(text)


def _described(value: Any) -> Any:
    return error_texts.describe(value) if isinstance(value, BaseException) else value


def _describe_traceback(_logger: Any, _method: str, event: Event) -> Event:
    """Replace `exc_info` by the traceback as text."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error and not isinstance(error, BaseException):
        error = sys.exc_info()[1]
    if error:
        event["exception"] = error_texts.describe_traceback(error)
    return event


def _mask(_logger: Any, _method: str, event: Event) -> Event:
    """Describe errors, and mask each text."""
    for key, value in event.items():
        if key == "exception":
            # its lines are of the source, and of errors that are described
            event[key] = "\n".join(map(masked, value.splitlines()))
        elif not isinstance(value, bool | int | float | None):
            event[key] = masked(str(_described(value)))
    return event


def _renderer() -> Any:
    log_format = settings.MILO_LOG_FORMAT or ("console" if data_folder.is_development() else "json")
    if log_format == "console":
        plain = structlog.dev.plain_traceback
        return structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=plain)
    return structlog.processors.JSONRenderer(serializer=_json)


def _json(event: Event, **_options: Any) -> str:
    try:
        return orjson.dumps(event).decode()
    except TypeError:
        # a lone surrogate, or a number of more than 64 bits
        return json.dumps(event)


_COMMON: list[Any] = [
    structlog.contextvars.merge_contextvars,
    _describe_traceback,
    _mask,
    # of our own making, with many digits, so that a search for numbers would take as long as that of all else
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper("iso", utc=True),
]
