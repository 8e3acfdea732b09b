"""The one door through which rows are written: the row, its history and its revision, in one act."""

from milo.audit.records import History, Provenance, histories, history
from milo.audit.time_lines import ledger_time
from milo.audit.transactions import Anonymous, Entry, dry_run, journal, mark_changed, transaction
from milo.audit.writes import before_save, delete_as, refuse_texts, save_as

__all__ = [
    "Anonymous",
    "Entry",
    "History",
    "Provenance",
    "before_save",
    "delete_as",
    "dry_run",
    "histories",
    "history",
    "journal",
    "ledger_time",
    "mark_changed",
    "refuse_texts",
    "save_as",
    "transaction",
]
