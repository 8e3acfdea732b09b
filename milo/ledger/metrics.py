"""Metrics of the ledger for Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from milo.ledger.models import Inspection, Seal
from milo.metrics.declared import row_gauge

VIOLATIONS = row_gauge("milo_ledger_violations", "What the last run of a check of the ledger found", ("check",))
SUCCEEDED = row_gauge(
    "milo_ledger_check_success_timestamp_seconds", "When a check of the ledger last found nothing", ("check",)
)
SEALS = row_gauge("milo_ledger_seals", "Seals in the chain")
SEALED = row_gauge("milo_ledger_seal_timestamp_seconds", "When the newest seal was made")
OWED = row_gauge("milo_ledger_heads_owed", "Seals whose heads the place outside the database lacks")


class LedgerCollector(Collector):
    """Reads the values by four small queries."""

    def collect(self) -> Iterator[Metric]:
        checks = list(Inspection.objects.order_by("name"))
        yield VIOLATIONS.of({(each.name,): each.violations for each in checks})
        yield SUCCEEDED.of({(each.name,): each.succeeded_at.timestamp() for each in checks if each.succeeded_at})
        newest = Seal.objects.order_by("-number").values_list("number", "at").first()
        if newest:
            yield SEALS.of(newest[0])
            yield SEALED.of(newest[1].timestamp())
        yield OWED.of(Seal.objects.filter(handed_over_at=None).count())
