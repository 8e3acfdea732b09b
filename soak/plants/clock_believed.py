"""The clock of a process is believed, however far it is from that of the database."""

from datetime import datetime

from milo import clock


def plant() -> None:
    clock.refuse_difference = _believe


def _believe(theirs: datetime) -> None:
    pass
