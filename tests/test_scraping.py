"""A scrape is answered in time whatever the database does, and asks it no more often than it has to."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from milo import health, scraping
from milo.metrics import shared
from milo.metrics.collectors import Collectors
from milo.metrics.declared import RowGauge
from milo.probes import own_connection
from milo.scraping import Scraper

pytestmark = pytest.mark.once


class Slow(Collector):
    """A collector that takes so long, and counts how often it was asked."""

    def __init__(self) -> None:
        self.seconds, self.asked = 0.0, 0

    def collect(self) -> Iterator[Metric]:
        self.asked += 1
        time.sleep(self.seconds)
        yield RowGauge("milo_asked", "").of(self.asked)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    collectors, slow = Collectors(), Slow()
    collectors.register("slow", slow)
    monkeypatch.setattr(health, "_metrics", collectors)
    monkeypatch.setattr(scraping, "WITHIN_SECONDS", 0.2)
    return slow


def scrapes(*steps: Callable[[], None]) -> list[str]:
    """Scrape after each step; return the values of the collector, `-` where there was none."""

    async def run() -> list[str]:
        scraper, shown = Scraper(own_connection), []
        for step in steps:
            step()
            lines = (await scraper.response()).content.decode().splitlines()
            shown.append(next((line.split()[1] for line in lines if line.startswith("milo_asked ")), "-"))
        return shown

    return asyncio.run(run())


def test_values_are_kept_for_some_seconds(slow: Slow) -> None:
    assert scrapes(lambda: None, lambda: None) == ["1.0", "1.0"]
    assert slow.asked == 1


def test_a_slow_database_delays_a_scrape_by_a_bound_and_the_values_before_are_shown(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang() -> None:
        monkeypatch.setattr(scraping, "KEPT_SECONDS", 0)
        slow.seconds = 1.0

    begun = time.monotonic()
    shown = scrapes(lambda: None, hang, lambda: None)
    assert shown == ["1.0", "1.0", "1.0"]
    # one run at a time, whoever scrapes meanwhile
    assert slow.asked == 2
    assert time.monotonic() - begun < 3


def test_values_that_are_too_old_are_not_shown(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang() -> None:
        monkeypatch.setattr(scraping, "KEPT_SECONDS", 0)
        monkeypatch.setattr(scraping, "STALE_SECONDS", 0)
        slow.seconds = 0.5

    assert scrapes(lambda: None, hang) == ["1.0", "-"]


def test_the_folder_of_counts_is_removed_and_so_is_one_that_a_killed_command_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "MEMORY", tmp_path)
    monkeypatch.delenv(shared.VARIABLE, raising=False)
    left = tmp_path / f"{shared.PREFIX}left"
    left.mkdir()
    (left / "counter_1.db").write_bytes(b"")
    with shared.shared_folder():
        (own,) = tmp_path.iterdir()
        assert own != left
        with shared.shared_folder():
            # another command lives
            assert len(list(tmp_path.iterdir())) == 2
            assert own.is_dir()
    assert list(tmp_path.iterdir()) == []
