"""Decisions of the operator: limits, periods, where the books are kept, keys and anchor of the ledger."""

from datetime import timedelta
from typing import Any

from milo.settings.environment import DATA_DIR, environment

MILO_CHANGE_LOG_RETENTION = timedelta(hours=environment.ledger.change_log_retention_hours)
MILO_LEDGER_KEYS = str(environment.ledger.keys or DATA_DIR / "ledger-keys")
MILO_LEDGER_SIGNING_KEY = environment.ledger.signing_key
MILO_LEDGER_HEADS = str(environment.ledger.heads or DATA_DIR / "ledger-heads.jsonl")
MILO_LEDGER_ANCHOR = environment.ledger.anchor
MILO_LEDGER_ANCHOR_OPTIONS: dict[str, Any] = environment.ledger.anchor_options or {}
MILO_APPROVAL_DAYS = environment.policies.approval_days
MILO_PAYER_CORRECTION_MONTHS = environment.policies.payer_correction_months
MILO_HIERARCHY_DEPTH = environment.policies.hierarchy_depth
MILO_HIERARCHY_SIZE = environment.policies.hierarchy_size
MILO_APPROVE_MOVES_OVER = environment.policies.approve_moves_over
MILO_REOPEN_WINDOW_DAYS = environment.policies.reopen_window_days
_archive_after = environment.policies.archive_after_days
MILO_ARCHIVE_AFTER_DAYS = MILO_REOPEN_WINDOW_DAYS if _archive_after is None else _archive_after
MILO_NET_DAYS_WITHOUT_APPROVAL = environment.policies.net_days_without_approval
MILO_PAYMENT_PROFILE_VERIFIER = environment.policies.payment_profile_verifier
MILO_PLATFORM_COUNTRY = environment.policies.platform_country
MILO_DATA_REGIONS = list(environment.policies.data_regions)
# None: as long as the law requires
MILO_RETENTION_YEARS = environment.policies.retention_years or None
MILO_USAGE_LATE_DAYS = environment.policies.usage_late_days
MILO_FEATURE_GATES = dict(environment.operations.feature_gates)
MILO_FOCUS_PROVIDER_NAME = environment.policies.focus_provider_name
