"""Exports spans by OTLP over HTTP: https://opentelemetry.io/docs/specs/otlp/

An extra: it needs the packages of requirements/otel.txt, and MILO_TRACE_EXPORT=otlp. The SDK reads where to, how often
and which spans from its own variables (docs/operating.md, "Logs"). Nothing of it is imported otherwise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from django.conf import settings

import milo
from milo import error_texts, traces
from milo.settings import checks
from milo.traces import Span

_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class _State:
    provider: Any = None


@checks.register("milo.E006")
def faults() -> Iterator[str]:
    """Yield a message if spans are to be exported and cannot be."""
    if settings.MILO_TRACE_EXPORT != "none" and not _is_installed():
        yield "MILO_TRACE_EXPORT=otlp needs the packages of requirements/otel.txt, which are not installed"


def _is_installed() -> bool:
    try:
        return all(find_spec(name) for name in _PACKAGES)
    except ModuleNotFoundError:
        # of a package above it
        return False


def begin() -> None:
    """Export the spans of this process, and of those forked from it, if the settings say so."""
    if settings.MILO_TRACE_EXPORT == "none" or _State.provider:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=_resource())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _State.provider = provider
    traces.export_by(_Exported(provider.get_tracer("milo", milo.__version__)).step)


def end() -> None:
    """Send what has ended and was not sent yet, and export nothing more."""
    provider, _State.provider = _State.provider, None
    if provider:
        traces.export_by(traces.unexported)
        provider.shutdown()


def _resource() -> Any:
    """Return what is the same for all spans: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have precedence."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours = Resource({"service.name": "milo", "service.version": milo.__version__})
    return Resource.create(ours.merge(OTELResourceDetector().detect()).attributes)


class _Exported:
    """Begins and ends each step as a span of the SDK, whose sampler decides whether it is exported."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    @contextmanager
    def step(self, name: str, parent: Span | None, attributes: dict[str, Any]) -> Iterator[Span]:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        kind = attributes.pop("kind", "internal")
        if kind == "probe":
            with traces.unexported(name, parent, attributes) as probe:
                yield probe
            return
        span = self._tracer.start_span(name, _context_of(parent), SpanKind[kind.upper()])
        context = span.get_span_context()
        ours = Span(
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            context.trace_flags.sampled,
            context.trace_state.to_header(),
            attributes,
        )
        try:
            yield ours
        except BaseException as error:
            # not by record_exception: the message of an error may have values of rows
            told = {"exception.type": type(error).__qualname__, "exception.message": error_texts.describe(error)}
            span.add_event("exception", told)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            _describe(span, name, attributes)
            span.end()


def _context_of(parent: Span | None) -> Any:
    """Return the context of a remote parent; an empty one begins a trace."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

    if parent is None:
        return Context()
    named = SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(parent.sampled),
        trace_state=TraceState.from_header([parent.tracestate] if parent.tracestate else []),
    )
    return set_span_in_context(NonRecordingSpan(named), Context())


def _describe(span: Any, name: str, attributes: dict[str, Any]) -> None:
    """Set what is known at the end, by the conventions for names and failures of HTTP spans."""
    from opentelemetry.trace import Status, StatusCode

    span.set_attributes(attributes)
    if route := attributes.get("http.route"):
        span.update_name(f"{name} {route}")
    if attributes.get("http.response.status_code", 0) >= 500 or attributes.get("milo.outcome") == "failed":
        span.set_status(Status(StatusCode.ERROR))
