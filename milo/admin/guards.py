"""Database guards of Django's admin log."""

from milo import append_only as guard

LOG = "django_admin_log"


def declare_guards() -> None:
    """Declare the admin log append-only. Called once at startup."""
    guard.declare(
        "admin",
        guard.refuse("admin_log_never_changed", LOG, "UPDATE", "TRUE", "rows stay as they were written"),
        guard.no_delete("admin_log_never_deleted", LOG),
        guard.no_replace("admin_log_never_replaced", LOG, ["id"]),
    )
