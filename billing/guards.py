"""What the database itself refuses, beyond constraints: declared here, installed by `milo.append_only`."""

from milo import append_only as guard

ACCOUNT, BINDING, PROJECT = "billing_billingaccount", "billing_billingaccountbinding", "projects_project"

_NOT_OF_ONE_ORGANIZATION = (
    f"NOT EXISTS (SELECT 1 FROM {PROJECT} p, {ACCOUNT} a"
    " WHERE p.id = NEW.project_id AND a.id = NEW.account_id"
    " AND p.organization_id = NEW.organization_id AND a.organization_id = NEW.organization_id)"
)
_NOT_READY = (
    f"NOT EXISTS (SELECT 1 FROM {PROJECT} p, {ACCOUNT} a"
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
_STILL_PAID_FOR = f"EXISTS (SELECT 1 FROM {BINDING} b WHERE b.%s = NEW.id AND b.phase = 'Active')"


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
        guard.no_delete("account_never_deleted", ACCOUNT),
        guard.no_replace("account_never_replaced", ACCOUNT, ["id"], ["uid"], ["organization_id", "name"]),
        guard.refuse(
            "account_closed_while_paying",
            ACCOUNT,
            "UPDATE",
            f"NEW.phase IN ('Closed', 'Archived') AND {_STILL_PAID_FOR % 'account_id'}",
            "projects are still bound to the account",
        ),
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
    )
