"""The trace of a request: https://www.w3.org/TR/trace-context/

Start with `span`. The headers `traceparent` and `tracestate` of a client are accepted; rows of the outbox keep them (as
defaults of columns) and messages to workers carry them, so that lines of the log join by `trace_id` across processes.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from structlog.contextvars import bound_contextvars

HEADER, STATE_HEADER = "traceparent", "tracestate"
LENGTH, STATE_LENGTH = 55, 512
MEMBERS = 32
"""The most members of a tracestate."""
_FORM = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.ASCII,
)
_KEY = r"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_MEMBER = re.compile(rf"(?P<key>{_KEY})=[ -+\--<>-~]{{0,255}}[!-+\--<>-~]", re.ASCII)
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Span:
    """One step of a trace. `attributes` are exported at its end, where spans are exported."""

    trace_id: str
    span_id: str
    sampled: bool
    tracestate: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def traceparent(self) -> str:
        """Return the header that continues the trace from this step."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"


Tracer = Callable[[str, Span | None, dict[str, Any]], AbstractContextManager[Span]]
"""Begins a step of this name after its parent (None begins a trace) and ends it."""
_current: ContextVar[Span | None] = ContextVar("milo_span", default=None)


def parse(header: str, state: str = "") -> Span | None:
    """Return the step that a `traceparent` names; None for an invalid header, as the recommendation asks.

    `state` is the `tracestate` beside it, which is left out if it is invalid.
    """
    form = _FORM.fullmatch(header)
    if form is None or (form["version"] == "00" and form["more"]):
        return None
    return Span(form["trace"], form["span"], bool(int(form["flags"], 16) & _SAMPLED), parse_state(state))


def parse_state(header: str) -> str:
    """Return the members of a `tracestate` that fit into 512 characters, from the left; empty for an invalid header."""
    members = [member.strip(" \t") for member in header.split(",")]
    members = [member for member in members if member]
    forms = [_MEMBER.fullmatch(member) for member in members]
    keys = {form["key"] for form in forms if form}
    if len(members) > MEMBERS or len(keys) < len(members):
        return ""
    while len(",".join(members)) > STATE_LENGTH:
        members.pop()
    return ",".join(members)


def current() -> Span | None:
    """Return the current step; None in a shell."""
    return _current.get()


def traceparent() -> str:
    """Return the header that continues the current trace, of 55 characters; empty in a shell."""
    step = _current.get()
    return step.traceparent if step else ""


def tracestate() -> str:
    """Return the `tracestate` that goes with the `traceparent`; empty where there is none."""
    step = _current.get()
    return step.tracestate if step else ""


@contextmanager
def span(name: str, parent: str = "", state: str = "", **attributes: Any) -> Iterator[Span]:
    """Begin a step of the trace in `parent` and `state`, or of a new trace. Log lines inside have its ids.

    The attribute `kind` is `server`, `consumer`, or `probe`, which is never exported.
    """
    with _tracer(name, parse(parent, state), attributes) as step:
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
def unexported(name: str, parent: Span | None, attributes: dict[str, Any]) -> Iterator[Span]:
    """Begin a step that nobody is told of: it only has its ids."""
    trace_id = parent.trace_id if parent else os.urandom(16).hex()
    state = parent.tracestate if parent else ""
    yield Span(trace_id, os.urandom(8).hex(), bool(parent and parent.sampled), state, attributes)


_tracer: Tracer = unexported
