"""Spans of requests and tasks arrive at a collector by OTLP over HTTP, with the trace of their clients."""

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

import milo
from billing.tasks import deliver_notices
from milo import telemetry, traces
from milo.asgi import application
from milo.settings import checks
from projects.models import Organization
from tests.api.client import ACCOUNTS, Api
from tests.support import make

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT, STATE = f"00-{TRACE}-{SPAN}-01", "rojo=00f067aa0ba902b7,tenant@vendor=t61"
ROOT = Path(__file__).resolve().parent.parent


class Collector:
    """A collector on a port of its own, which keeps what it receives."""

    def __init__(self) -> None:
        self.received: list[ExportTraceServiceRequest] = []
        self.headers: dict[str, str] = {}
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    content = gzip.decompress(content)
                assert self.path == "/v1/traces"
                kept.headers = dict(self.headers)
                kept.received.append(ExportTraceServiceRequest.FromString(content))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[Span]:
        """Send what is still waiting, and return all spans in the order of their ends."""
        telemetry.end()
        return [
            span
            for request in self.received
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self) -> dict[str, str]:
        return {pair.key: pair.value.string_value for pair in self.received[0].resource_spans[0].resource.attributes}


@pytest.fixture
def collector(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    settings.MILO_TRACE_EXPORT = "otlp"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=hush")
    telemetry.begin()
    yield made
    telemetry.end()
    made.server.shutdown()
    made.server.server_close()


def attributes(span: Span) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in span.attributes}


def ask(path: str, **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        served: Any = application
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://127.0.0.1") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


def test_a_request_is_a_span_of_its_clients_trace(collector: Collector) -> None:
    assert ask("/version", traceparent=PARENT, tracestate=STATE).status_code == 200
    (span,) = collector.spans()
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (TRACE, SPAN, STATE)
    assert (span.name, span.kind) == ("GET /version", Span.SPAN_KIND_SERVER)
    assert span.status.code == Status.STATUS_CODE_UNSET
    described = attributes(span)
    assert described["http.request.method"] == "GET"
    assert (described["http.route"], described["http.response.status_code"]) == ("/version", 200)
    assert described["milo.outcome"] == "success"
    assert collector.resource()["service.name"] == "milo"
    assert collector.resource()["service.version"] == milo.__version__
    assert collector.headers["x-token"] == "hush"


def test_a_request_without_a_trace_begins_one_and_probes_are_not_told(collector: Collector) -> None:
    ask("/livez")
    ask("/version")
    (span,) = collector.spans()
    assert (span.name, span.parent_span_id) == ("GET /version", b"")


def test_what_the_client_does_not_sample_is_not_exported(collector: Collector) -> None:
    ask("/version", traceparent=f"00-{TRACE}-{SPAN}-00")
    assert collector.spans() == []


def test_the_sdk_reads_the_name_of_the_service_and_the_sampler(
    settings: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry.end()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "billing")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    telemetry.begin()
    ask("/version")
    ask("/version", traceparent=PARENT)
    (span,) = collector.spans()
    assert span.trace_id.hex() == TRACE
    assert collector.resource()["service.name"] == "billing"


@pytest.mark.django_db
def test_the_mail_of_a_notice_is_a_span_of_the_request_that_queued_it(
    organization: Organization, collector: Collector, mailoutbox: Any
) -> None:
    make.a_ready_account(organization, "us", invoice_email_addresses=["invoices@example.org"])
    operator = Api.of(make.a_person(groups=("finance-operator",)))
    spec = {"spec": {"reasonCode": "ManualReview", "message": "under review by Erika"}}
    operator.post(f"{ACCOUNTS}/us/suspend", spec, traceparent=PARENT, tracestate=STATE).done()
    deliver_notices.apply()
    spans = collector.spans()
    request = next(span for span in spans if span.kind == Span.SPAN_KIND_SERVER and span.trace_id.hex() == TRACE)
    notice = next(span for span in spans if span.name == "notice")
    task = next(span for span in spans if span.name == deliver_notices.name)
    assert (notice.trace_id, notice.parent_span_id, notice.trace_state) == (request.trace_id, request.span_id, STATE)
    assert (task.kind, attributes(task)["milo.outcome"]) == (Span.SPAN_KIND_CONSUMER, "success")
    assert "Erika" not in str(spans)


def test_a_failure_is_told_without_values(collector: Collector) -> None:
    def fail() -> None:
        with traces.span("step"):
            raise IntegrityError("violates a constraint\nDETAIL:  Failing row contains (7, hush).")

    with pytest.raises(IntegrityError):
        fail()
    (span,) = collector.spans()
    assert span.status.code == Status.STATUS_CODE_ERROR
    (event,) = span.events
    assert {pair.key: pair.value.string_value for pair in event.attributes}["exception.type"] == "IntegrityError"
    assert "hush" not in str(span)


def test_a_process_that_was_forked_sends_its_own_spans(collector: Collector) -> None:
    child = os.fork()
    if not child:
        try:
            with traces.span("of the child", PARENT):
                pass
            telemetry.end()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert [span.name for span in collector.spans()] == ["of the child"]


def test_requests_are_served_while_the_collector_is_away(collector: Collector) -> None:
    collector.server.shutdown()
    collector.server.server_close()
    assert ask("/version", traceparent=PARENT).status_code == 200


def test_without_its_packages_the_start_is_refused_and_says_what_to_install(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    checks.require()
    settings.MILO_TRACE_EXPORT = "otlp"
    with pytest.raises(ImproperlyConfigured, match=r"needs the packages of requirements/otel\.txt"):
        checks.require()


@pytest.mark.once
def test_no_exporter_is_imported_where_nothing_is_exported() -> None:
    # redis imports the rest where it is installed
    code = "import sys, milo.asgi, milo.celery; sys.exit('opentelemetry.exporter' in sys.modules)"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
