"""Declarations of metrics: name, type, labels and meaning, as docs/metrics.md lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric

COUNTED = CollectorRegistry()
"""The metrics that this process counts itself."""
# a second series for each counter, which nobody reads
disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as a scrape shows it. `source` says where its values come from: the web processes, or the database."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str
    source: str


_declared: dict[str, Declared] = {}


def all_declared() -> list[Declared]:
    """Return every declared metric by name."""
    return sorted(_declared.values(), key=lambda each: each.name)


def _declare(name: str, kind: str, meaning: str, labels: Sequence[str], source: str) -> None:
    if name in _declared:
        raise ValueError(f"the metric {name} is declared twice")
    _declared[name] = Declared(name, kind, tuple(labels), meaning, source)


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """Declare a counter of web processes; `name` ends in `_total`."""
    _declare(name, "counter", meaning, labels, "web")
    return Counter(name, meaning, labels, registry=COUNTED)


def gauge(name: str, meaning: str, labels: Sequence[str] = (), *, newest: bool = False) -> Gauge:
    """Declare a gauge of web processes. A scrape shows the sum over those that run, or the value that was set last."""
    _declare(name, "gauge", meaning, labels, "web")
    mode: Literal["livesum", "livemostrecent"] = "livemostrecent" if newest else "livesum"
    return Gauge(name, meaning, labels, registry=COUNTED, multiprocess_mode=mode)


def histogram(name: str, meaning: str, buckets: Sequence[float], labels: Sequence[str] = ()) -> Histogram:
    """Declare a histogram of web processes; `buckets` are upper bounds in the unit of the name."""
    _declare(name, "histogram", meaning, labels, "web")
    return Histogram(name, meaning, labels, registry=COUNTED, buckets=buckets)


@dataclass(frozen=True, slots=True)
class RowGauge:
    """A gauge whose values are read at each scrape."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    def of(self, values: Mapping[tuple[str, ...], float] | float) -> Metric:
        """Return the metric with a value, or with a value for each combination of labels."""
        metric = GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, value in values.items() if isinstance(values, Mapping) else [((), values)]:
            metric.add_metric(labels, value)
        return metric


@dataclass(frozen=True, slots=True)
class RowHistogram:
    """A histogram of what is there at the scrape. Unlike a counted one it may fall: use its values, not their rate."""

    name: str
    meaning: str
    bounds: tuple[float, ...]

    def of(self, values: Sequence[float]) -> Metric:
        """Return the metric of these values."""
        buckets = [(f"{bound:.15g}", float(sum(value <= bound for value in values))) for bound in self.bounds]
        buckets.append(("+Inf", float(len(values))))
        return GaugeHistogramMetricFamily(self.name, self.meaning, buckets=buckets, gsum_value=sum(values))


def row_gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> RowGauge:
    """Declare a gauge that is read from the database."""
    _declare(name, "gauge", meaning, labels, "database")
    return RowGauge(name, meaning, tuple(labels))


def row_histogram(name: str, meaning: str, bounds: Sequence[float]) -> RowHistogram:
    """Declare a histogram that is read from the database; `bounds` are upper bounds in the unit of the name."""
    _declare(name, "histogram", meaning, (), "database")
    return RowHistogram(name, meaning, tuple(bounds))
