"""Probes for whoever runs the server."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from milo import append_only
from milo.ledger.metrics import LedgerCollector
from milo.ledger.privileges import strangers

# of rows only, so that every process tells the same
_metrics = CollectorRegistry(auto_describe=False)
_metrics.register(LedgerCollector())


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """200 while the process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 where the database has every guard, and nothing passes them by; else 503 that names what is wrong."""
    try:
        absent = [guard.name for guard in append_only.missing(connection)]
        wrong = strangers(connection)
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "why": "the database does not answer"}, status=503)
    if absent:
        return JsonResponse({"status": "unavailable", "why": f"guards are missing: {', '.join(absent)}"}, status=503)
    if wrong:
        return JsonResponse({"status": "unavailable", "why": "; ".join(wrong)}, status=503)
    return JsonResponse({"status": "ok"})


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What Prometheus asks for: counts and times of checks, and nothing of any object."""
    return HttpResponse(generate_latest(_metrics), content_type=CONTENT_TYPE_LATEST)
