"""What an organization that runs Milo decides: limits, periods, where the books are kept, who proves the ledger."""

import os
from datetime import timedelta
from typing import Any

from milo.settings.environment import DATA_DIR, json_object, number

# how far back a watch can begin and `kubectl events` shows what happened; the ledger's history is kept apart
MILO_CHANGE_LOG_RETENTION = timedelta(hours=number("MILO_CHANGE_LOG_RETENTION_HOURS", 168))
# what proves the ledger: keys (back them up apart from the database), and who is given the heads of the chain
MILO_LEDGER_KEYS = os.environ.get("MILO_LEDGER_KEYS") or str(DATA_DIR / "ledger-keys")
MILO_LEDGER_HEADS = os.environ.get("MILO_LEDGER_HEADS") or str(DATA_DIR / "ledger-heads.jsonl")
MILO_LEDGER_ANCHOR = os.environ.get("MILO_LEDGER_ANCHOR") or "milo.ledger.anchors.FileAnchor"
MILO_LEDGER_ANCHOR_OPTIONS: dict[str, Any] = json_object("MILO_LEDGER_ANCHOR_OPTIONS")
MILO_APPROVAL_DAYS = 14
MILO_REOPEN_WINDOW_DAYS = 90
# never before the time to reopen has passed
MILO_ARCHIVE_AFTER_DAYS = number("MILO_ARCHIVE_AFTER_DAYS", MILO_REOPEN_WINDOW_DAYS)
MILO_NET_DAYS_WITHOUT_APPROVAL = 60
MILO_PAYMENT_PROFILE_VERIFIER = os.environ.get("MILO_PAYMENT_PROFILE_VERIFIER") or "billing.verifiers.FormVerifier"
# ISO 3166-1 alpha-2 of who sells and keeps the books; while it is empty, no mandate of the seller's country binds,
# and no account is purged
MILO_PLATFORM_COUNTRY = os.environ.get("MILO_PLATFORM_COUNTRY", "")
# where billing data can be kept (countries or regions, as DE,US), the first by default; empty: not said
MILO_DATA_REGIONS = [region for region in os.environ.get("MILO_DATA_REGIONS", "").split(",") if region]
# how long closed accounts are promised to be kept, which rules compare with the law; empty: as long as the law asks
MILO_RETENTION_YEARS = number("MILO_RETENTION_YEARS", 0) or None
# usage events older than this are taken, and counted as late in the receipt
MILO_USAGE_LATE_DAYS = 35
# who provides and bills the services, as FOCUS exports name them
MILO_FOCUS_PROVIDER_NAME = os.environ.get("MILO_FOCUS_PROVIDER_NAME", "Milo")
