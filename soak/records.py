"""Files of JSON lines that several threads append to."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Records:
    """An append-only file of JSON objects, one a line, written at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a")
        self._lock = threading.Lock()

    def append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, separators=(",", ":")) + "\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file; none if there is no such file."""
    if path.exists():
        with path.open() as file:
            for line in file:
                yield json.loads(line)
