"""Decide by the installed guards whether a process may serve. During an upgrade another version's are trusted."""

from django.db.backends.base.base import BaseDatabaseWrapper

from milo import append_only
from milo.ledger.privileges import UNKNOWN, strangers

_OF_GUARDS = ("the trigger ", "the function ")


def unguarded(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the causes for which a process must not serve: guards that are missing or differ, and ways around them.

    During an upgrade the owner has installed another version's guards. This version cannot compare them, so it trusts
    their triggers and functions. It still reports disabled triggers and everything else that bypasses guards.
    `manage.py check` of the installed version compares them.
    """
    passing = strangers(connection)
    if append_only.of_another_version(connection):
        return [text for text in passing if not (text.startswith(_OF_GUARDS) and text.endswith(UNKNOWN))]
    absent = [guard.name for guard in append_only.missing(connection)]
    return [*([f"guards are missing: {', '.join(absent)}"] if absent else []), *passing]
