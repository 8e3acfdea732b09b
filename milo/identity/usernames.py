"""Names of users that are new: nobody looks like another one who is here."""

from django.contrib.auth.models import User
from django.db import connection
from django.utils.translation import gettext as _

from milo.identity import names


def taken_name(name: str) -> str | None:
    """Return the name of the user whom a normalized name belongs to or looks like; None where there is none."""
    mine = names.looks(name)
    others = User.objects.values_list("username", flat=True).iterator()
    return next((other for other in others if mine & names.looks(other)), None)


def fault_of_new(name: str) -> str | None:
    """Say what is wrong with the name of a new user; None where nothing is. Nobody looks like another one."""
    if why := names.fault(names.normalize(name)):
        return why
    if other := taken_name(name):
        return _("is taken for %(other)s, who is here") % {"other": other}
    return None


def lock_names() -> None:
    """Have new people come one by one: each name is compared with all others."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(x'6e616d65'::int, 0)")
