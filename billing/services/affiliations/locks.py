"""The lock of the accounts under accounts of one organization: whoever changes the tree holds it first of all locks."""

from django.db import connection

# "tree" in ASCII: a number of its own, so that no other advisory lock of the database collides
_SPACE = 0x74726565


def lock_hierarchy(organization_id: int) -> None:
    """Wait for other acts on the tree of the organization, and keep it as it is until the transaction ends.

    SQLite has one writer, and needs no lock.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # two keys of 32 bits: organizations of one remainder wait for one another, which harms nobody
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_SPACE, organization_id % 2**31])
