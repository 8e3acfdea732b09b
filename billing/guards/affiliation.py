"""Guards of accounts under accounts: facts without gap or cycle, one payer of record a month, who can answer for it.

Those that they put on accounts and bindings are in `affiliated_account`.
"""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import AccountPayer, BillingAccount, BillingAccountAffiliation
from milo.append_only import (
    Guard,
    fixed_as_said,
    no_delete,
    no_replace,
    on_sqlite,
    postgresql_constraint,
    refuse,
    refuse_at_commit,
)

TABLE, PAYERS = BillingAccountAffiliation._meta.db_table, AccountPayer._meta.db_table
ACCOUNT = BillingAccount._meta.db_table
_ACCOUNTS = f"SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.{{column}} AND a.organization_id = NEW.organization_id"
_OF_ONE_ORGANIZATION = (
    f"EXISTS ({_ACCOUNTS.format(column='account_id')})"
    f" AND (NEW.parent_id IS NULL OR EXISTS ({_ACCOUNTS.format(column='parent_id')}))"
)
_BECOMES_ACTIVE = "NEW.phase = 'Active' AND OLD.phase <> 'Active'"
_NOT_READY = (
    f"NEW.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.parent_id"
    " AND a.phase = 'Ready')"
)
_OTHER_CURRENCY = (
    f"NEW.payer = 'Parent' AND NOT EXISTS (SELECT 1 FROM {ACCOUNT} a CROSS JOIN {ACCOUNT} p"
    " WHERE a.id = NEW.account_id AND p.id = NEW.parent_id AND a.currency_code = p.currency_code"
    " AND a.currency_code <> '')"
)
# UNION, not UNION ALL: it ends even where a cycle is already there
_CYCLE = (
    "NEW.parent_id IS NOT NULL AND EXISTS (WITH RECURSIVE above(id) AS (SELECT NEW.parent_id UNION"
    f' SELECT f.parent_id FROM {TABLE} f JOIN "above" ON f.account_id = above.id'
    " WHERE f.phase = 'Active' AND f.parent_id IS NOT NULL)"
    ' SELECT 1 FROM "above" WHERE above.id = NEW.account_id)'
)
_PAID_BY_PARENT = f"SELECT 1 FROM {TABLE} f WHERE f.account_id = {{0}} AND f.phase = 'Active' AND f.payer = 'Parent'"
_AS_RELATED = (
    "EXISTS (WITH RECURSIVE up(id) AS (SELECT {0}.account_id UNION"
    f' SELECT f.parent_id FROM {TABLE} f JOIN "up" ON f.account_id = up.id'
    " WHERE f.phase = 'Active' AND f.payer = 'Parent')"
    ' SELECT 1 FROM "up" WHERE up.id = {0}.payer_id'
    f" AND NOT EXISTS ({_PAID_BY_PARENT.format('up.id')}))"
)
# who answers for the account already goes on answering for it, Ready or not
_PAYER_NOT_READY = (
    "NEW.payer = 'Parent' AND EXISTS (WITH RECURSIVE up(id) AS (SELECT NEW.parent_id UNION"
    f' SELECT f.parent_id FROM {TABLE} f JOIN "up" ON f.account_id = up.id'
    " WHERE f.phase = 'Active' AND f.payer = 'Parent')"
    f" SELECT 1 FROM \"up\" JOIN {ACCOUNT} p ON p.id = up.id WHERE p.phase <> 'Ready'"
    f" AND p.id <> NEW.parent_id AND NOT EXISTS ({_PAID_BY_PARENT.format('up.id')}) AND NOT EXISTS"
    f" (SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.account_id AND a.paid_by_id = p.id))"
)
_FACTS = "was.phase IN ('Active', 'Superseded', 'Ended')"
_OVERLAPS = (
    f"EXISTS (SELECT 1 FROM {TABLE} was WHERE was.account_id = NEW.account_id AND was.id <> NEW.id AND {_FACTS}"
    " AND (was.ended_from IS NULL OR was.ended_from > NEW.effective_from))"
)
_LEAVES_A_GAP = (
    f"EXISTS (SELECT 1 FROM {TABLE} was WHERE was.account_id = NEW.account_id AND was.id <> NEW.id AND {_FACTS})"
    f" AND NOT EXISTS (SELECT 1 FROM {TABLE} was WHERE was.id = NEW.supersedes_id AND was.account_id = NEW.account_id"
    " AND was.phase = 'Superseded' AND was.ended_from = NEW.effective_from)"
)
_MONTH = "SUBSTR(CAST(NEW.{0} AS TEXT), 1, 7)"
_WHOLE = "CAST(NEW.{0} AS TEXT) NOT LIKE '%-01'"


def guards() -> Iterator[Guard]:
    """Yield the guards of affiliations and of the payers of record."""
    yield from fixed_as_said(BillingAccountAffiliation, purge=PURGED)
    yield no_delete("affiliation_never_deleted", TABLE)
    yield no_replace(
        "affiliation_never_replaced", TABLE, ["id"], ["uid"], ["organization_id", "name"], ["supersedes_id"]
    )
    yield refuse(
        "affiliation_one_organization",
        TABLE,
        "INSERT",
        f"NOT ({_OF_ONE_ORGANIZATION})",
        "an account belongs to another organization",
    )
    yield refuse(
        "affiliation_begins_as_plan", TABLE, "INSERT", "NEW.phase <> 'Scheduled'", "a new affiliation is a plan"
    )
    # SQLite's INSERT OR REPLACE would remove the plan in its way, and no trigger of DELETE would see it
    yield refuse(
        "affiliation_not_doubled",
        TABLE,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {TABLE} was WHERE was.account_id = NEW.account_id AND was.phase = 'Scheduled')",
        "another affiliation of the account is planned",
    )
    # the past is what was invoiced
    yield refuse(
        "affiliation_not_planned_late",
        TABLE,
        "INSERT",
        f"{_MONTH.format('effective_from')} < {_MONTH.format('created_at')}",
        "the month is past",
    )
    yield refuse(
        "affiliation_goes_forward",
        TABLE,
        "UPDATE",
        "(OLD.phase = 'Active' AND NEW.phase NOT IN ('Active', 'Superseded', 'Ended'))"
        " OR (OLD.phase = 'Scheduled' AND NEW.phase IN ('Superseded', 'Ended'))",
        "the phase goes forward only",
    )
    # invoices and sums are of months
    whole = {
        "INSERT": _WHOLE.format("effective_from"),
        "UPDATE": f"OLD.phase = 'Active' AND NEW.ended_from IS NOT NULL AND {_WHOLE.format('ended_from')}",
    }
    for event, condition in whole.items():
        name = f"affiliation_whole_months_{event.lower()}"
        yield refuse(name, TABLE, event, condition, "a month is its first day")
    yield from _of_activation()
    yield from _of_ends()
    yield from _of_payers()


def _of_activation() -> Iterator[Guard]:
    refusals = {
        # `paid_by` and the open row are of the present
        "not_early": (f"{_MONTH.format('effective_from')} > {_MONTH.format('activated_at')}", "its month is to come"),
        # a suspension, or a closure, of the parent that races the activation
        "needs_ready": (_NOT_READY, "the parent is not Ready"),
        "needs_ready_payer": (_PAYER_NOT_READY, "the payer of record of the parent is not Ready"),
        "one_currency": (_OTHER_CURRENCY, "the account and its payer bill in different currencies"),
        # two activations at once, each of which saw no cycle
        "no_cycle": (_CYCLE, "the parent is under the account already"),
        "follows_previous": (_OVERLAPS, "begins before the previous affiliation of the account ended"),
        "continues_superseded": (_LEAVES_A_GAP, "does not begin where the affiliation that it supersedes ended"),
    }
    for name, (condition, message) in refusals.items():
        yield refuse(f"affiliation_{name}", TABLE, "UPDATE", f"{_BECOMES_ACTIVE} AND {condition}", message)
    # int8range in place of =, which would need the extension btree_gist
    yield postgresql_constraint(
        "affiliation_no_overlap",
        TABLE,
        "EXCLUDE USING gist (int8range(account_id, account_id, '[]') WITH &&,"
        " daterange(effective_from, ended_from) WITH &&) WHERE (phase IN ('Active', 'Superseded', 'Ended'))",
    )


def _of_ends() -> Iterator[Guard]:
    """Yield the guards by which a relation in force ends for another, or with its account.

    The plan that takes over becomes a fact afterwards, in the same transaction, which PostgreSQL asks at its end.
    """
    superseded = "NEW.phase = 'Superseded' AND OLD.phase = 'Active'"
    message = "no other affiliation of the account takes over"
    yield refuse(
        "affiliation_superseded_by_plan",
        TABLE,
        "UPDATE",
        f"{superseded} AND NOT EXISTS (SELECT 1 FROM {TABLE} f WHERE f.account_id = NEW.account_id"
        " AND f.phase = 'Scheduled' AND f.effective_from = NEW.ended_from)",
        message,
    )
    yield refuse_at_commit(
        "affiliation_has_successor",
        TABLE,
        ("UPDATE",),
        f"{superseded} AND NOT EXISTS (SELECT 1 FROM {TABLE} f WHERE f.supersedes_id = NEW.id)",
        message,
    )
    yield refuse(
        "affiliation_ends_with_account",
        TABLE,
        "UPDATE",
        "NEW.phase = 'Ended' AND OLD.phase = 'Active' AND NOT EXISTS"
        f" (SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.account_id AND a.phase = 'Archived')",
        "the account is not archived",
    )


def _of_payers() -> Iterator[Guard]:
    pair = f"SELECT 1 FROM {ACCOUNT} a CROSS JOIN {ACCOUNT} p WHERE a.id = NEW.account_id AND p.id = NEW.payer_id"
    overlaps = (
        f"EXISTS (SELECT 1 FROM {PAYERS} o WHERE o.account_id = NEW.account_id AND o.id <> NEW.id"
        " AND (o.until_month IS NULL OR o.until_month > NEW.from_month)"
        " AND (NEW.until_month IS NULL OR NEW.until_month > o.from_month))"
    )
    yield from fixed_as_said(AccountPayer)
    yield refuse(
        "account_payer_one_organization",
        PAYERS,
        "INSERT",
        f"NOT EXISTS ({pair} AND a.organization_id = p.organization_id)",
        "account and payer of record belong to different organizations",
    )
    whole = f"{_WHOLE.format('from_month')} OR (NEW.until_month IS NOT NULL AND {_WHOLE.format('until_month')})"
    for event, when in (("INSERT", "TRUE"), ("UPDATE", "NEW.from_month IS DISTINCT FROM OLD.from_month")):
        suffix = event.lower()
        yield refuse(
            f"account_payer_whole_months_{suffix}", PAYERS, event, f"{when} AND ({whole})", "a month is its first day"
        )
        yield refuse(
            f"account_payer_no_overlap_{suffix}",
            PAYERS,
            event,
            f"{when} AND {overlaps}",
            "the account has a payer of record then",
        )
    yield from _of_open_rows()
    yield no_replace("account_payer_never_replaced", PAYERS, ["id"], ["account_id", "from_month"])
    yield postgresql_constraint(
        "account_payer_one_a_month",
        PAYERS,
        "EXCLUDE USING gist (int8range(account_id, account_id, '[]') WITH &&,"
        " daterange(from_month, until_month) WITH &&)",
    )


def _of_open_rows() -> Iterator[Guard]:
    """Yield the guards by which the open row of an account is `paid_by`.

    An act writes rows first, then accounts, so it holds at its end only, at which SQLite calls no trigger. There each
    open row is what the relations in force say, which the act has written before.
    """
    account = "COALESCE(NEW.account_id, OLD.account_id)"
    payer = f"(SELECT o.payer_id FROM {PAYERS} o WHERE o.account_id = a.id AND o.until_month IS NULL)"
    yield refuse_at_commit(
        "account_payer_is_paid_by",
        PAYERS,
        ("INSERT", "DELETE"),
        f"EXISTS (SELECT 1 FROM {ACCOUNT} a WHERE a.id = {account}"
        f" AND COALESCE({payer}, a.id) <> COALESCE(a.paid_by_id, a.id))",
        "the account is paid by another",
    )
    for event, row, wrong in (("INSERT", "NEW", "NOT "), ("DELETE", "OLD", "")):
        yield on_sqlite(
            refuse(
                f"account_payer_as_related_{event.lower()}",
                PAYERS,
                event,
                f"{row}.until_month IS NULL AND {wrong}{_AS_RELATED.format(row)}",
                "the relations in force say otherwise",
            )
        )
