"""Revisions are numbered by a sequence, so a number may become visible after a greater one."""

import random
import time

from django.db import connection

from milo.kube.models import Change
from milo.kube.store import changes, numbering

BLOCK = 1000
"""Numbers of a transaction, of which it uses the last."""


def plant() -> None:
    write = numbering.write

    def write_and_pause(revisions: list[Change]) -> None:
        write(revisions)
        time.sleep(random.uniform(0, 0.5))

    numbering._TAKE = f"SELECT nextval('public.soak_number') * {BLOCK} + %s AS value"
    numbering.write = write_and_pause
    changes.current_version = _newest


def _newest() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(resource_version), 0) FROM kube_change")
        return int(cursor.fetchone()[0])
