"""The id of each run of a task, its place in a trace, and its line in the log.

Messages carry `traceparent` and `tracestate` as headers. A message that is published inside a request continues the
trace of the request, and so do the lines of the task.
"""

import sys
import time
from contextlib import ExitStack
from typing import Any

import structlog
from celery import signals

from milo import provenance, traces

SYSTEM = "system:task"

log = structlog.get_logger(__name__)


@signals.before_task_publish.connect  # type: ignore[untyped-decorator]
def send_trace(headers: dict[str, Any], **kwargs: Any) -> None:
    """Put the current trace into the headers of the message."""
    if current := traces.traceparent():
        headers[traces.HEADER] = current
    if state := traces.tracestate():
        headers[traces.STATE_HEADER] = state


@signals.task_prerun.connect  # type: ignore[untyped-decorator]
def begin(task: Any, task_id: str, **kwargs: Any) -> None:
    """Set the task's id as the request id of everything that the task writes, and continue its trace."""
    headers = task.request.headers or {}
    parent, state = (
        str(task.request.get(name) or headers.get(name) or "") for name in (traces.HEADER, traces.STATE_HEADER)
    )
    task.request.milo_run = run = ExitStack()
    run.enter_context(provenance.asked_by(f"task:{task_id}"[:64]))
    run.enter_context(traces.span(task.name, parent, state, kind="consumer"))
    task.request.milo_began = time.monotonic()


@signals.task_failure.connect  # type: ignore[untyped-decorator]
def failed(sender: Any, exception: BaseException, **kwargs: Any) -> None:
    """Log the line of a run that failed, with its traceback."""
    # Celery's own copy may lack what it came from
    _write(sender, "failed", exc_info=sys.exc_info()[1] or exception)


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def end(task: Any, state: str | None = None, **kwargs: Any) -> None:
    """Log the line of a run that did not fail, and reset request id and trace."""
    if state != "FAILURE":
        _write(task, "success" if state == "SUCCESS" else (state or "ended").lower())
    task.request.milo_run.close()


def _write(task: Any, outcome: str, **error: Any) -> None:
    began = getattr(task.request, "milo_began", None)
    seconds = {"duration_seconds": round(time.monotonic() - began, 6)} if began is not None else {}
    if step := traces.current():
        step.attributes["milo.outcome"] = outcome
    write = log.error if error else log.info
    write("task", action=task.name, actor=SYSTEM, outcome=outcome, **seconds, **error)
