"""Contests: several ways to do the same work, measured alternately so that noise hits all alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

WORKERS = 4

Request = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`connect(worker)` opens the connection of one of the `WORKERS` threads; each call inside it is one request.

    `cpu_seconds` tells how much processor time its server has used so far; None where it has no server.
    """

    name: str
    connect: Callable[[int], AbstractContextManager[Request]]
    cpu_seconds: Callable[[], float] | None = None
    queries: int = 0


@dataclass(slots=True)
class Figures:
    """What was measured of one contestant: requests per second of each round, seconds of each request."""

    contestant: Contestant
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0

    def row(self, peer: "Figures") -> dict[str, Any]:
        """The row of a table; `ratio` is the median over the rounds of this rate to the peer's."""
        percentiles = statistics.quantiles(self.latencies, n=100)
        measured = self.contestant.cpu_seconds is not None
        return {
            "contestant": self.contestant.name,
            "requests/s": round(statistics.median(self.rates), 1),
            "p50 ms": round(percentiles[49] * 1000, 2),
            "p99 ms": round(percentiles[98] * 1000, 2),
            "server CPU ms": round(self.cpu_seconds / len(self.latencies) * 1000, 2) if measured else None,
            "queries": self.contestant.queries,
            "ratio to peer": round(
                statistics.median(mine / theirs for mine, theirs in zip(self.rates, peer.rates, strict=True)), 2
            ),
        }


def hold(contestants: Sequence[Contestant], rounds: int, seconds: float) -> list[Figures]:
    """Measure each contestant for `seconds` in each of `rounds`, after one shorter round that does not count."""
    for contestant in contestants:
        measure(contestant, min(seconds, 1.0))
    figures = [Figures(contestant) for contestant in contestants]
    for number in range(rounds):
        # the one that goes first changes, in case that matters
        for index in range(len(figures)):
            found = figures[(index + number) % len(figures)]
            before = found.contestant.cpu_seconds() if found.contestant.cpu_seconds else 0.0
            rate, latencies = measure(found.contestant, seconds)
            after = found.contestant.cpu_seconds() if found.contestant.cpu_seconds else 0.0
            found.rates.append(rate)
            found.latencies += latencies
            found.cpu_seconds += after - before
    return figures


def measure(contestant: Contestant, seconds: float, workers: int = WORKERS) -> tuple[float, list[float]]:
    """Requests per second of a closed loop of `workers` threads, and the seconds that each request took."""
    with ThreadPoolExecutor(workers) as pool:
        begun = time.perf_counter()
        jobs = [pool.submit(_loop, contestant, worker, begun + seconds) for worker in range(workers)]
        latencies = [latency for job in jobs for latency in job.result()]
        return len(latencies) / (time.perf_counter() - begun), latencies


def _loop(contestant: Contestant, worker: int, end: float) -> list[float]:
    latencies: list[float] = []
    with contestant.connect(worker) as request:
        while not latencies or time.perf_counter() < end:
            begun = time.perf_counter()
            request()
            latencies.append(time.perf_counter() - begun)
    return latencies
