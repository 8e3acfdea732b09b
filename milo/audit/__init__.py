"""The only write path: row, history and revision in one transaction.

Start with `transactions.py`, then `writes.py` (`save_as`, `save_all_as`, `delete_as`) and `records.py` (history rows).
The package relies on django-simple-history for the models of history rows only; the database copies the rows.
"""

from milo.audit.beforehand import Beforehand, beforehand, repeated
from milo.audit.differences import difference, with_previous
from milo.audit.language import ledger_language
from milo.audit.places import behind
from milo.audit.records import History, Provenance, histories, history
from milo.audit.time_lines import ledger_time, read_time_lines
from milo.audit.transactions import Anonymous, Entry, dry_run, is_dry_run, journal, mark_changed, settle, transaction
from milo.audit.writes import before_save, delete_as, fixed_keys, refuse_texts, save_all_as, save_as

__all__ = [
    "Anonymous",
    "Beforehand",
    "Entry",
    "History",
    "Provenance",
    "before_save",
    "beforehand",
    "behind",
    "delete_as",
    "difference",
    "dry_run",
    "fixed_keys",
    "histories",
    "history",
    "is_dry_run",
    "journal",
    "ledger_language",
    "ledger_time",
    "mark_changed",
    "read_time_lines",
    "refuse_texts",
    "repeated",
    "save_all_as",
    "save_as",
    "settle",
    "transaction",
    "with_previous",
]
