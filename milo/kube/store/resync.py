"""Resynchronize the change log with the rows, after an upgrade that renders them differently or a change by SQL."""

from typing import Any

import orjson

from milo import audit
from milo.access import Actor
from milo.kube.kinds import Kind, all_kinds
from milo.kube.store.manifests import render

RENEWAL = Actor.system("renewal")
BATCH = 500


def renew() -> int:
    """Write a revision of each object that renders differently from its newest revision. Returns their number.

    `migrate` ends with this, because reads and lists answer with the newest revision. Idempotent.
    """
    return sum(_renew(kind) for kind in all_kinds())


def _renew(kind: Kind) -> int:
    renewed, last = 0, 0
    objects: Any = kind.model._default_manager
    while True:
        with audit.transaction():
            locked = {row.pk: row for row in objects.filter(pk__gt=last).locked()[:BATCH]}
            if not locked:
                return renewed
            newest = dict(objects.filter(pk__in=locked).with_manifest().values_list("pk", "manifest"))
            for pk, row in kind.queryset().with_revision().in_bulk(list(locked)).items():
                if not newest[pk] or orjson.loads(newest[pk]) != render(kind, row):
                    audit.mark_changed(RENEWAL, locked[pk])
                    renewed += 1
            last = max(locked)
