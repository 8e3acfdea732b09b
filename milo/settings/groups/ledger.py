"""The ledger's proofs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milo.settings import values
from milo.settings.variables import variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Keys and anchor of the ledger, and how long revisions are kept."""

    keys: Path | None = variable(
        "MILO_LEDGER_KEYS",
        values.PATH,
        None,
        "The folder of `signing.pem`, and of a `.pub` for each trusted key: those of earlier keys and of other hosts."
        " Back it up apart from the database.",
        shown="`ledger-keys` in the data folder",
    )
    signing_key: str | None = variable(
        "MILO_LEDGER_SIGNING_KEY",
        values.SIGNING_KEY,
        None,
        "The key that signs seals, the same on all hosts; `manage.py ledger key` prints a new one. Without one the"
        " worker does not start.",
        shown="`signing.pem` in `MILO_LEDGER_KEYS`, which development generates",
        secret=True,
    )
    heads: Path | None = variable(
        "MILO_LEDGER_HEADS",
        values.PATH,
        None,
        "The file to which `FileAnchor` appends.",
        shown="`ledger-heads.jsonl` in the data folder",
    )
    anchor: str = variable(
        "MILO_LEDGER_ANCHOR",
        values.DOTTED_PATH,
        "milo.ledger.anchors.FileAnchor",
        "Keeps the heads of the chain outside the database: `FileAnchor`, `WebhookAnchor` or `StorageAnchor` of"
        " `milo.ledger.anchors`, or a class of yours with `keep(heads)`.",
    )
    anchor_options: dict[str, Any] | None = variable(
        "MILO_LEDGER_ANCHOR_OPTIONS",
        values.JSON_OBJECT,
        None,
        "Arguments of the anchor: for the webhook `url` (https) and `token`, for the storage `backend` and `options`.",
        shown="none",
        secret=True,
    )
    change_log_retention_hours: int = variable(
        "MILO_CHANGE_LOG_RETENTION_HOURS",
        values.number(1, 876_000),
        168,
        "How far back a watch can begin and `kubectl events` reaches. History is separate and permanent.",
    )
