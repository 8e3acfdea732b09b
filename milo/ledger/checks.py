"""System checks of the application's database role, and of the configured anchor."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from milo import append_only
from milo.ledger import anchors, keys, privileges
from milo.ledger.models import Seal
from milo.settings import checks as settings_checks

_OWNS = "SELECT current_user, pg_has_role(current_user, tableowner, 'USAGE') FROM pg_tables WHERE tablename = %s"


@checks.register(checks.Tags.database)
def check_role(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Report an error for each forbidden privilege of the role and each object that bypasses guards (PostgreSQL).

    A role that owns the tables gets a warning instead of errors for privileges.
    """
    found: list[checks.CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor != "postgresql" or append_only.installing():
            continue
        try:
            found += _of(connection)
        except DatabaseError as error:
            found.append(checks.Error(f"the database cannot be asked for privileges: {error}", id="milo.E012"))
    return found


def _of(connection: BaseDatabaseWrapper) -> Iterator[checks.CheckMessage]:
    for stranger in privileges.strangers(connection):
        yield checks.Error(stranger, hint="have the owner of the tables look at who made it", id="milo.E013")
    with connection.cursor() as cursor:
        cursor.execute(_OWNS, [Seal._meta.db_table])
        role, owns = cursor.fetchone() or ("", False)
    if owns:
        message = f"the role {role} owns the tables, and so can switch off the guards"
        yield checks.Warning(message, hint="see deploy/postgresql-roles.sql", id="milo.W003")
        return
    for table, privilege in privileges.forbidden_privileges(connection):
        yield checks.Error(
            f"the role {role} holds {privilege} on {table}",
            hint="run deploy/postgresql-roles.sql as the owner of the tables",
            id="milo.E010",
        )


@checks.register(checks.Tags.security, deploy=True)
def check_keys(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report an error if no key is configured, for signing or for verification: a worker would not start."""
    try:
        keys.require_trusted()
    except keys.KeyUnusable as error:
        return [checks.Error(str(error), id="milo.E014")]
    return []


@settings_checks.register("milo.E011")
def faults_of_anchor() -> Iterator[str]:
    """Yield a fault if the settings do not make an anchor."""
    path = settings.MILO_LEDGER_ANCHOR
    try:
        made: Any = anchors.anchor()
    except Exception as error:
        # a class of the operator may raise any exception for its arguments
        yield f"MILO_LEDGER_ANCHOR and MILO_LEDGER_ANCHOR_OPTIONS make no anchor: {path}: {error}"
    else:
        if not callable(getattr(made, "keep", None)):
            yield f"MILO_LEDGER_ANCHOR must name a class with a method keep, not {path!r}"
