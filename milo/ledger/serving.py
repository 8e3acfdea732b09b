"""Whether the guards let a process serve: stricter for its own version's than for those of one that comes after it."""

from django.db.backends.base.base import BaseDatabaseWrapper

from milo import append_only
from milo.ledger.privileges import UNKNOWN, strangers

_OF_GUARDS = ("the trigger ", "the function ")


def unguarded(connection: BaseDatabaseWrapper) -> list[str]:
    """Return what keeps a process from serving: guards that are missing or differ, and what passes them by.

    Where the owner has installed another version's guards, as during an upgrade, this version cannot tell whether they
    are whole, and trusts their triggers and functions. That none is switched off, and all else, it still asks.
    `manage.py check` of the version that is installed compares them.
    """
    passing = strangers(connection)
    if append_only.of_another_version(connection):
        return [text for text in passing if not (text.startswith(_OF_GUARDS) and text.endswith(UNKNOWN))]
    absent = [guard.name for guard in append_only.missing(connection)]
    return [*([f"guards are missing: {', '.join(absent)}"] if absent else []), *passing]
