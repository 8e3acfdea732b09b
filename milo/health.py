"""Probes and metrics for operators: `/livez`, `/readyz` and `/metrics`."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from milo.ledger.metrics import LedgerCollector
from milo.ledger.serving import unguarded

# derived from rows only, so that every process has the same values
_metrics = CollectorRegistry(auto_describe=False)
_metrics.register(LedgerCollector())


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process runs."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if every guard is installed and nothing bypasses them, otherwise 503 with the findings."""
    try:
        wrong = unguarded(connection)
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "why": "the database does not answer"}, status=503)
    if wrong:
        return JsonResponse({"status": "unavailable", "why": "; ".join(wrong)}, status=503)
    return JsonResponse({"status": "ok"})


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus with counts and times of checks; they reveal nothing about any object."""
    return HttpResponse(generate_latest(_metrics), content_type=CONTENT_TYPE_LATEST)
