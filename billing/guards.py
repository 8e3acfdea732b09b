"""What the database itself refuses, beyond constraints: declared here, installed by `milo.append_only`."""

from collections.abc import Sequence

from milo import append_only as guard

ACCOUNT, BINDING = "billing_billingaccount", "billing_billingaccountbinding"
ORGANIZATION, PROJECT, MEMBERSHIP = "projects_organization", "projects_project", "projects_membership"
SUSPENSION, APPROVAL, HOLD, CHARGE = (f"billing_{name}" for name in ("suspension", "approvalrequest", "hold", "charge"))

_NOT_OF_ONE_ORGANIZATION = (
    f"NOT EXISTS (SELECT 1 FROM {PROJECT} p CROSS JOIN {ACCOUNT} a"
    " WHERE p.id = NEW.project_id AND a.id = NEW.account_id"
    " AND p.organization_id = NEW.organization_id AND a.organization_id = NEW.organization_id)"
)
_NOT_READY = (
    f"NOT EXISTS (SELECT 1 FROM {PROJECT} p CROSS JOIN {ACCOUNT} a"
    " WHERE p.id = NEW.project_id AND a.id = NEW.account_id AND p.phase = 'Active' AND a.phase = 'Ready')"
)
_STARTS_BEFORE_PREVIOUS_ENDED = (
    f"EXISTS (SELECT 1 FROM {BINDING} was WHERE was.project_id = NEW.project_id"
    " AND (was.ended_at IS NULL OR was.ended_at > NEW.established_at))"
)
_LEAVES_A_GAP = (
    f"NEW.supersedes_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {BINDING} was WHERE was.id = NEW.supersedes_id"
    " AND was.project_id = NEW.project_id AND was.phase = 'Superseded' AND was.ended_at = NEW.established_at)"
)
_SPEC = (
    "currency_code net_days invoice_frequency invoice_day_of_month anchor_month business_day_convention"
    " discount_percent discount_days penalty_percent penalty_grace_days extended_terms_agreed payment_profile"
    " country customer_kind invoice_language invoice_format data_residency generation approved_terms first_ready_at"
).split()
_PERSONAL = "display_name invoice_email_addresses tax_registrations e_invoicing labels annotations".split()
_PURGE = "OLD.phase = 'Archived' AND OLD.pseudonymised_on IS NULL AND NEW.pseudonymised_on IS NOT NULL"
_PURGED = f"EXISTS (SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.account_id AND a.pseudonymised_on IS NOT NULL)"
_HELD = f"EXISTS (SELECT 1 FROM {HOLD} h WHERE h.account_id = NEW.id AND h.released_at IS NULL)"
_OPEN_SUSPENSION = f"EXISTS (SELECT 1 FROM {SUSPENSION} s WHERE s.account_id = NEW.id AND s.resolved_at IS NULL)"
NOTICE, OUTCOME = "billing_notice", "billing_noticeoutcome"
_NOTICE_FIXED = "id uid about channel account_id project_id cause_uid subject_uid language created_at".split()
_NOTICE_CHANGED = (
    " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in _NOTICE_FIXED)
    + " OR NEW.recipient IS DISTINCT FROM OLD.recipient"
    f" AND NOT (NEW.recipient = 'purged-' || CAST(OLD.id AS TEXT) || '@milo.invalid' AND {_PURGED})"
    f" OR NEW.context IS DISTINCT FROM OLD.context AND NOT (CAST(NEW.context AS TEXT) = '{{}}' AND {_PURGED})"
)
METER, INTAKE, KEY, EVENT = (f"billing_usage{noun}" for noun in ("meter", "intake", "key", "event"))
ROLLUP, CLOSING, ASSIGNMENT = (f"billing_usage{noun}" for noun in ("rollup", "closing", "assignment"))
_CLOSED = (
    f"EXISTS (SELECT 1 FROM {CLOSING} c WHERE c.account_id = {{row}}.account_id AND c.opens_on > {{row}}.billed_in)"
)
_STILL_PAID_FOR = f"EXISTS (SELECT 1 FROM {BINDING} b WHERE b.%s = NEW.id AND b.phase = 'Active')"


def _fixed_until_purge(
    name: str, table: str, columns: list[str], personal: list[str], *, once: str = "TRUE", purge: str = _PURGED
) -> guard.Guard:
    """Refuses to change `columns`, and to change `personal` ones to anything but nothing, and that in a purge only."""
    changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)
    kept = " OR ".join(
        f"(NEW.{column} IS DISTINCT FROM OLD.{column} AND CAST(NEW.{column} AS TEXT) NOT IN ('[purged]', '{{}}', '[]'))"
        for column in personal
    )
    named = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in personal)
    when = f"({once}) AND ({changed} OR {kept} OR (({named}) AND NOT ({purge})))"
    return guard.refuse(name, table, "UPDATE", when, f"{', '.join([*columns, *personal])} cannot be changed")


def declare_guards() -> None:
    guard.declare(
        "billing",
        # the history of responsibility must not move under a binding, not by SQL either
        guard.fixed_columns(
            "binding_identity_fixed",
            BINDING,
            ["id", "uid", "name", "organization_id", "project_id", "account_id", "established_at", "supersedes_id"],
        ),
        guard.fixed_columns(
            "binding_end_fixed", BINDING, ["phase", "ended_at", "end_reason"], once="OLD.phase <> 'Active'"
        ),
        guard.no_delete("binding_never_deleted", BINDING),
        guard.no_replace(
            "binding_never_replaced", BINDING, ["id"], ["uid"], ["organization_id", "name"], ["supersedes_id"]
        ),
        guard.refuse(
            "binding_one_organization",
            BINDING,
            "INSERT",
            _NOT_OF_ONE_ORGANIZATION,
            "project and account belong to different organizations",
        ),
        guard.refuse(
            "binding_needs_ready", BINDING, "INSERT", _NOT_READY, "the project is not Active or the account not Ready"
        ),
        # no gap is filled afterwards: responsibility only ever goes forward
        guard.refuse(
            "binding_follows_previous",
            BINDING,
            "INSERT",
            _STARTS_BEFORE_PREVIOUS_ENDED,
            "starts before the previous binding of the project ended",
        ),
        # no instant between two payers, not by SQL either
        guard.refuse(
            "binding_continues_superseded",
            BINDING,
            "INSERT",
            _LEAVES_A_GAP,
            "does not start where the binding that it supersedes ended",
        ),
        # int8range, because the extension btree_gist is not everywhere
        guard.postgresql_constraint(
            "binding_no_overlap",
            BINDING,
            "EXCLUDE USING gist (int8range(project_id, project_id, '[]') WITH &&,"
            " tstzrange(established_at, ended_at) WITH &&)",
        ),
        guard.fixed_columns("account_identity_fixed", ACCOUNT, ["id", "uid", "name", "organization_id", "created_at"]),
        guard.fixed_columns(
            "account_currency_fixed",
            ACCOUNT,
            ["currency_code", "first_ready_at"],
            once="OLD.first_ready_at IS NOT NULL",
        ),
        # closed is read-only; only reopening and archival move it on
        _fixed_until_purge(
            "account_closed_fixed", ACCOUNT, _SPEC, _PERSONAL, once="OLD.phase IN ('Closed', 'Archived')", purge=_PURGE
        ),
        # personal data change once more, at the end of their retention: as pseudonymised_on is set, never after
        guard.fixed_columns(
            "account_archived_fixed", ACCOUNT, ["phase", "closed_at", "archived_at"], once="OLD.phase = 'Archived'"
        ),
        guard.fixed_columns(
            "account_archive_fixed",
            ACCOUNT,
            ["archive_sha256", "pseudonymised_on"],
            once=f"OLD.phase = 'Archived' AND NOT ({_PURGE})",
        ),
        # the law may come to keep data longer
        guard.refuse(
            "account_purge_date_never_earlier",
            ACCOUNT,
            "UPDATE",
            "OLD.purge_on IS NOT NULL AND (NEW.purge_on IS NULL OR NEW.purge_on < OLD.purge_on)",
            "purge_on cannot become earlier",
        ),
        # a purge racing a hold
        guard.refuse(
            "account_pseudonymised_while_held",
            ACCOUNT,
            "UPDATE",
            f"OLD.pseudonymised_on IS NULL AND NEW.pseudonymised_on IS NOT NULL AND {_HELD}",
            "a hold of the account is open",
        ),
        # a reactivation racing a second suspension
        guard.refuse(
            "account_ready_while_suspended",
            ACCOUNT,
            "UPDATE",
            f"NEW.phase = 'Ready' AND {_OPEN_SUSPENSION}",
            "a suspension of the account is open",
        ),
        guard.no_delete("account_never_deleted", ACCOUNT),
        guard.no_replace("account_never_replaced", ACCOUNT, ["id"], ["uid"], ["organization_id", "name"]),
        guard.refuse(
            "account_closed_while_paying",
            ACCOUNT,
            "UPDATE",
            f"NEW.phase IN ('Closed', 'Archived') AND {_STILL_PAID_FOR % 'account_id'}",
            "projects are still bound to the account",
        ),
        guard.refuse(
            "suspension_of_suspended",
            SUSPENSION,
            "INSERT",
            f"NOT EXISTS (SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.account_id AND a.phase = 'Suspended')",
            "the account is not Suspended",
        ),
        _fixed_until_purge(
            "suspension_identity_fixed",
            SUSPENSION,
            "id uid account_id reason_code suspended_at suspended_by payment_profile".split(),
            "message".split(),
        ),
        _fixed_until_purge(
            "suspension_resolution_fixed",
            SUSPENSION,
            "resolved_at resolved_by".split(),
            "evidence".split(),
            once="OLD.resolved_at IS NOT NULL",
        ),
        guard.no_delete("suspension_never_deleted", SUSPENSION),
        guard.no_replace("suspension_never_replaced", SUSPENSION, ["id"], ["uid"]),
        _fixed_until_purge(
            "approval_identity_fixed",
            APPROVAL,
            "id uid name organization_id account_id act requester requested_at proposal".split(),
            "justification".split(),
        ),
        _fixed_until_purge(
            "approval_decision_fixed",
            APPROVAL,
            "phase decider decided_at taken_over_by last_editor editors reviewed_hash expires_at".split(),
            "comment reviewed".split(),
            once="OLD.phase <> 'Pending'",
        ),
        guard.no_delete("approval_never_deleted", APPROVAL),
        guard.no_replace(
            "approval_never_replaced",
            APPROVAL,
            ["id"],
            ["uid"],
            ["organization_id", "name"],
            ["account_id", "act", "phase"],
        ),
        _fixed_until_purge(
            "hold_identity_fixed", HOLD, "id uid account_id type set_at set_by".split(), "message reason".split()
        ),
        _fixed_until_purge(
            "hold_release_fixed",
            HOLD,
            "released_at released_by".split(),
            "release_reason".split(),
            once="OLD.released_at IS NOT NULL",
        ),
        guard.no_delete("hold_never_deleted", HOLD),
        guard.no_replace("hold_never_replaced", HOLD, ["id"], ["uid"]),
        guard.fixed_columns(
            "charge_identity_fixed",
            CHARGE,
            "id uid name organization_id account_id external_id amount currency_code due_date".split(),
        ),
        guard.fixed_columns(
            "charge_settlement_fixed",
            CHARGE,
            ["settled_at", "settlement_reference"],
            once="OLD.settled_at IS NOT NULL",
        ),
        guard.no_delete("charge_never_deleted", CHARGE),
        guard.no_replace(
            "charge_never_replaced", CHARGE, ["id"], ["uid"], ["organization_id", "name"], ["account_id", "external_id"]
        ),
        guard.fixed_columns("membership_fixed", MEMBERSHIP, ["id", "user_id", "organization_id", "role"]),
        # a role that nobody took would be gone without a trace
        *guard.delete_only(
            "membership_revoked_with_history",
            MEMBERSHIP,
            "EXISTS (SELECT 1 FROM projects_historicalmembership h WHERE h.id = OLD.id AND h.history_type = '-')",
            "a role is revoked together with its history row only",
        ),
        guard.no_replace("membership_never_replaced", MEMBERSHIP, ["id"], ["user_id", "organization_id", "role"]),
        # a namespace that changed its name would take the ledger of its projects with it
        guard.fixed_columns("organization_identity_fixed", ORGANIZATION, ["id", "uid", "name", "created_at"]),
        guard.no_delete("organization_never_deleted", ORGANIZATION),
        guard.no_replace("organization_never_replaced", ORGANIZATION, ["id"], ["uid"], ["name"]),
        guard.fixed_columns("project_identity_fixed", PROJECT, ["id", "uid", "name", "organization_id", "created_at"]),
        guard.no_delete("project_never_deleted", PROJECT),
        guard.no_replace("project_never_replaced", PROJECT, ["id"], ["uid"], ["name"]),
        guard.refuse(
            "project_archived_while_paid",
            PROJECT,
            "UPDATE",
            f"NEW.phase = 'Archived' AND {_STILL_PAID_FOR % 'project_id'}",
            "the project still has an active binding",
        ),
        # what was owed to whom, and when it was delivered, is proof that people were told
        guard.no_delete("notice_never_deleted", NOTICE),
        guard.no_replace("notice_never_replaced", NOTICE, ["id"], ["uid"]),
        guard.refuse(
            "notice_identity_fixed", NOTICE, "UPDATE", _NOTICE_CHANGED, "what is owed to whom cannot be changed"
        ),
        guard.fixed_columns(
            "notice_delivered_fixed", NOTICE, ["phase", "delivered_at"], once="OLD.phase = 'Delivered'"
        ),
        *_as_written("notice_outcome", OUTCOME, ["id"]),
        *_as_written("usage_meter", METER, ["id"], ["service", "name"]),
        *_as_written("usage_intake", INTAKE, ["id"]),
        *_as_written("usage_key", KEY, ["key"]),
        *_as_written("usage_event", EVENT, ["project_id", "time", "key"], partitioned=True),
        *_as_written("usage_closing", CLOSING, ["id"], ["account_id", "opens_on"]),
        *_as_written("usage_assignment", ASSIGNMENT, ["id"], ["request_id"]),
        # no usage belongs to two accounts
        guard.refuse(
            "usage_assignment_given_once",
            ASSIGNMENT,
            "INSERT",
            f"EXISTS (SELECT 1 FROM {ASSIGNMENT} was WHERE was.project_id = NEW.project_id"
            " AND was.starts_at < NEW.ends_at AND was.ends_at > NEW.starts_at)",
            "usage of this span is assigned already",
        ),
        # two at once do not see each other
        guard.postgresql_constraint(
            "usage_assignment_no_overlap",
            ASSIGNMENT,
            "EXCLUDE USING gist (int8range(project_id, project_id, '[]') WITH &&,"
            " tstzrange(starts_at, ends_at) WITH &&)",
        ),
        # what was reported for a closed month stays as reported, rebuilds included
        guard.refuse("usage_closed_figure_added", ROLLUP, "INSERT", _CLOSED.format(row="NEW"), "the month is closed"),
        guard.refuse(
            "usage_closed_figure_changed",
            ROLLUP,
            "UPDATE",
            f"{_CLOSED.format(row='OLD')} OR {_CLOSED.format(row='NEW')}",
            "the month is closed",
        ),
        guard.refuse("usage_closed_figure_deleted", ROLLUP, "DELETE", _CLOSED.format(row="OLD"), "the month is closed"),
    )


def _as_written(
    prefix: str, table: str, *keys: Sequence[str], partitioned: bool = False
) -> tuple[guard.Guard, guard.Guard, guard.Guard]:
    """Guards of a table whose rows are added and never touched again."""
    return (
        guard.refuse(f"{prefix}_never_changed", table, "UPDATE", "TRUE", "rows stay as they were written"),
        guard.no_delete(f"{prefix}_never_deleted", table, partitioned=partitioned),
        guard.no_replace(f"{prefix}_never_replaced", table, *keys),
    )
