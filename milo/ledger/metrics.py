"""Metrics of the ledger for Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from milo.ledger.models import Inspection, Seal


class LedgerCollector(Collector):
    """Reads the values from the database at each scrape, by four small queries."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        violations = GaugeMetricFamily(
            "milo_ledger_violations", "What the last run of a check of the ledger found", labels=["check"]
        )
        succeeded = GaugeMetricFamily(
            "milo_ledger_check_success_timestamp_seconds",
            "When a check of the ledger last found nothing",
            labels=["check"],
        )
        for inspection in Inspection.objects.order_by("name"):
            violations.add_metric([inspection.name], inspection.violations)
            if inspection.succeeded_at:
                succeeded.add_metric([inspection.name], inspection.succeeded_at.timestamp())
        yield violations
        yield succeeded
        newest = Seal.objects.order_by("-number").values_list("number", "at").first()
        if newest:
            yield GaugeMetricFamily("milo_ledger_seals", "Seals in the chain", newest[0])
            yield GaugeMetricFamily(
                "milo_ledger_seal_timestamp_seconds", "When the newest seal was made", newest[1].timestamp()
            )
        owed = Seal.objects.filter(handed_over_at=None).count()
        yield GaugeMetricFamily(
            "milo_ledger_heads_owed", "Seals whose heads the place outside the database lacks", owed
        )
