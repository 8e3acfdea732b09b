"""Uniqueness of user names: a new name must not look like an existing one."""

from django.contrib.auth.models import User
from django.db import connection
from django.utils.translation import gettext as _

from milo.identity import names


def taken_name(name: str) -> str | None:
    """Return the existing user name that a normalized name equals or looks like; None if there is none."""
    mine = names.looks(name)
    others = User.objects.values_list("username", flat=True).iterator()
    return next((other for other in others if mine & names.looks(other)), None)


def fault_of_new(name: str) -> str | None:
    """Return what is wrong with the name of a new user; None if it is valid and looks like no existing name."""
    if why := names.fault(names.normalize(name)):
        return why
    if other := taken_name(name):
        return _("is taken for %(other)s, who is here") % {"other": other}
    return None


def lock_names() -> None:
    """Serialize the creation of users until the transaction ends, since each new name is compared with all others.

    A constraint cannot compare looks. SQLite has a single writer anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(x'6e616d65'::int, 0)")
