"""The trace of a request: https://www.w3.org/TR/trace-context/

Start with `span`. The header `traceparent` of a client is accepted; rows of the outbox keep it (`traceparent` as the
default of a column) and messages to workers carry it, so that lines of the log join by `trace_id` across processes.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from structlog.contextvars import bound_contextvars

HEADER = "traceparent"
LENGTH = 55
_FORM = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.ASCII,
)
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Span:
    """One step of a trace. `attributes` are exported at its end, where spans are exported."""

    trace_id: str
    span_id: str
    sampled: bool
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def traceparent(self) -> str:
        """Return the header that continues the trace from this step."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"


Tracer = Callable[[str, Span | None, dict[str, Any]], AbstractContextManager[Span]]
"""Begins a step of this name after its parent (None begins a trace) and ends it."""
_current: ContextVar[Span | None] = ContextVar("milo_span", default=None)


def parse(header: str) -> Span | None:
    """Return the step that a `traceparent` names; None for an invalid header, as the recommendation asks."""
    form = _FORM.fullmatch(header)
    if form is None or (form["version"] == "00" and form["more"]):
        return None
    return Span(form["trace"], form["span"], bool(int(form["flags"], 16) & _SAMPLED))


def current() -> Span | None:
    """Return the current step; None in a shell."""
    return _current.get()


def traceparent() -> str:
    """Return the header that continues the current trace, of 55 characters; empty in a shell."""
    step = _current.get()
    return step.traceparent if step else ""


@contextmanager
def span(name: str, parent: str = "", **attributes: Any) -> Iterator[Span]:
    """Begin a step of the trace in `parent` (a `traceparent`), or of a new trace. Log lines inside have its ids."""
    with _tracer(name, parse(parent), attributes) as step:
        token = _current.set(step)
        try:
            with bound_contextvars(trace_id=step.trace_id, span_id=step.span_id):
                yield step
        finally:
            _current.reset(token)


def export_by(tracer: Tracer) -> None:
    """Begin and end each step by this function from now on."""
    global _tracer
    _tracer = tracer


@contextmanager
def _unexported(name: str, parent: Span | None, attributes: dict[str, Any]) -> Iterator[Span]:
    trace_id = parent.trace_id if parent else os.urandom(16).hex()
    yield Span(trace_id, os.urandom(8).hex(), bool(parent and parent.sampled), attributes)


_tracer: Tracer = _unexported
