"""Decisions of the operator about billing."""

from dataclasses import dataclass

from milo.settings import values
from milo.settings.variables import variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Decisions of the operator."""

    platform_country: str = variable(
        "MILO_PLATFORM_COUNTRY",
        values.COUNTRY,
        "",
        "Where the seller keeps the books. Unset disables purging and the e-invoice mandates of the seller's country.",
    )
    data_regions: tuple[str, ...] = variable(
        "MILO_DATA_REGIONS",
        values.REGIONS,
        (),
        "Where billing data can be kept; the first is the default. Accounts cannot request another region.",
        shown="none: every region is accepted",
    )
    retention_years: int = variable(
        "MILO_RETENTION_YEARS",
        values.number(0, 100),
        0,
        "The promised retention of closed accounts; 0 is as long as the law requires. Rules warn where the law requires"
        " more, and no purge is earlier than that.",
    )
    approval_days: int = variable(
        "MILO_APPROVAL_DAYS",
        values.number(1, 3650),
        14,
        "An undecided approval request expires after this time.",
    )
    reopen_window_days: int = variable(
        "MILO_REOPEN_WINDOW_DAYS", values.number(0, 3650), 90, "A closed account can be reopened for this time."
    )
    archive_after_days: int | None = variable(
        "MILO_ARCHIVE_AFTER_DAYS",
        values.number(0, 36_500),
        None,
        "A closed account is archived this long after closure, and never within the time to reopen.",
        shown="the days of `MILO_REOPEN_WINDOW_DAYS`",
    )
    net_days_without_approval: int = variable(
        "MILO_NET_DAYS_WITHOUT_APPROVAL",
        values.number(0, 365),
        60,
        "Payment terms with more net days need an approved ReviseTerms.",
    )
    usage_late_days: int = variable(
        "MILO_USAGE_LATE_DAYS",
        values.number(0, 3650),
        35,
        "Older usage events are accepted, and counted as late in the receipt.",
    )
    payer_correction_months: int = variable(
        "MILO_PAYER_CORRECTION_MONTHS",
        values.number(1, 120),
        13,
        "A CorrectPayer may begin at most this many months back.",
    )
    hierarchy_depth: int = variable(
        "MILO_HIERARCHY_DEPTH",
        values.number(2, 20),
        5,
        "Levels of accounts under accounts at most, the topmost included.",
    )
    hierarchy_size: int = variable(
        "MILO_HIERARCHY_SIZE", values.number(2, 100_000), 10_000, "Accounts of one tree at most."
    )
    approve_moves_over: int | None = variable(
        "MILO_APPROVE_MOVES_OVER",
        values.number(0, 10_000),
        None,
        "A PayerChange of more projects than this needs an approved MovePayers.",
        shown="none: a move needs no approval",
    )
    payment_profile_verifier: str = variable(
        "MILO_PAYMENT_PROFILE_VERIFIER",
        values.DOTTED_PATH,
        "billing.verifiers.FormVerifier",
        "The class that verifies payment profiles. The default checks only their form.",
    )
    focus_provider_name: str = variable(
        "MILO_FOCUS_PROVIDER_NAME", values.TEXT, "Milo", "The provider of the services in FOCUS exports."
    )
