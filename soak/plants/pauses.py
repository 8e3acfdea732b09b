"""Pauses at the end of a transaction: rows are written, the counter is not locked yet, or is already."""

import time

from milo.kube.models import Change
from milo.kube.store import numbering


def before_numbering(seconds: float) -> None:
    """Pause each transaction before it takes its revision numbers."""
    write = numbering.write

    def later(revisions: list[Change]) -> None:
        time.sleep(seconds)
        write(revisions)

    numbering.write = later
