"""Guards: rules that the database itself keeps, against the ORM and raw SQL alike, on both engines.

Applications declare guards when they are loaded; `migrate` installs after every run those that are missing or differ,
because SQLite drops a table's triggers whenever a migration rebuilds it. A guard says itself how it is found in the
database exactly as declared, which the check at start asks too.
"""

from milo.append_only.catalogs import SEARCH_PATH
from milo.append_only.checks import check_guards
from milo.append_only.declared import Guard, all_guards, declare, deletable, may_delete
from milo.append_only.installation import (
    about_to_install,
    install,
    install_after_migrate,
    installing,
    lift,
    lift_before_migrate,
    missing,
    put_back_on_failure,
)
from milo.append_only.of_postgresql import (
    amend,
    by_right_of_owner,
    postgresql_constraint,
    refuse_at_commit,
    refuse_unless,
    writer,
)
from milo.append_only.triggers import (
    NOTHING,
    as_written,
    delete_only,
    derive,
    fixed_as_said,
    no_delete,
    no_replace,
    on_sqlite,
    refuse,
)
from milo.append_only.versions import announce, of_another_version

__all__ = [
    "NOTHING",
    "SEARCH_PATH",
    "Guard",
    "about_to_install",
    "all_guards",
    "amend",
    "announce",
    "as_written",
    "by_right_of_owner",
    "check_guards",
    "declare",
    "deletable",
    "delete_only",
    "derive",
    "fixed_as_said",
    "install",
    "install_after_migrate",
    "installing",
    "lift",
    "lift_before_migrate",
    "may_delete",
    "missing",
    "no_delete",
    "no_replace",
    "of_another_version",
    "on_sqlite",
    "postgresql_constraint",
    "put_back_on_failure",
    "refuse",
    "refuse_at_commit",
    "refuse_unless",
    "writer",
]
