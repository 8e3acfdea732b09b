"""The counts of all processes of one `manage.py serve`, which each of them can answer a scrape with.

prometheus_client keeps them in files of a folder. The folder is in memory where the system has a place for that:
a process that writes to a mapped file on a full disk is killed.
https://prometheus.github.io/client_python/multiprocess/
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from milo.metrics.declared import COUNTED

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client reads it once, when it is imported: set it before a process starts."""
PREFIX = "milo-metrics-"
MEMORY = Path("/dev/shm")  # noqa: S108  names in it are drawn by mkdtemp


@contextmanager
def shared_folder() -> Iterator[None]:
    """Have the processes that are started inside add up their counts. Removes folders that killed commands left."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _remove_left(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    lock = _lock(folder)
    os.environ[VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def forget_process(pid: int) -> None:
    """Remove the gauges of a process that has ended. What it counted stays, because counters never fall."""
    if folder := os.environ.get(VARIABLE):
        mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def counted() -> Iterator[Metric]:
    """Yield the metrics of all processes that share a folder, or else those of this process."""
    if os.environ.get(VARIABLE):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        yield from registry.collect()
    else:
        yield from COUNTED.collect()


def _remove_left(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        if folder.stat().st_uid == os.geteuid() and (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder until this process ends; None where another process that lives has it."""
    descriptor = None
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    if descriptor is not None:
        os.close(descriptor)
    return None
