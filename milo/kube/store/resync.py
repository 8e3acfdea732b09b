"""Renewal of manifests in the change log, after an upgrade renders them differently or SQL has changed rows.

Reads and lists return the newest revision, which the previous version has rendered. Where code has changed, `migrate`
owes a renewal of each kind (`owe`). The worker does it in the background (`proceed`): it compares objects in batches,
and writes a revision of those whose manifest differs. The row of the kind records the progress in the same transaction,
so the next round after a crash continues there.
"""

import hashlib
import time
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import structlog
from django.utils import timezone

from milo import audit
from milo.access import Actor
from milo.kube.kinds import Kind, all_kinds, kind_named
from milo.kube.models import Renewal
from milo.kube.store.manifests import render

RENEWAL = Actor.system("renewal")
BATCH = 200
_READ_BY_RENDERING = frozenset({".py", ".csv", ".tsv", ".xml", ".json"})
log = structlog.get_logger(__name__)


@cache
def rendering() -> str:
    """Return the digest of all code and data that render objects. The same digest renders the same manifests."""
    digest = hashlib.sha256()
    for package in sorted(
        {__name__.partition(".")[0], *(type(kind).__module__.partition(".")[0] for kind in all_kinds())}
    ):
        spec = find_spec(package)
        assert spec
        assert spec.submodule_search_locations
        root = Path(spec.submodule_search_locations[0])
        for path in sorted(path for path in root.rglob("*") if path.suffix in _READ_BY_RENDERING):
            digest.update(f"{package}/{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def owe(*, again: bool = False) -> list[str]:
    """Schedule a resync of each kind that other code has rendered, or with `again` of every kind that has objects.

    Return the names of the kinds.
    """
    current = set() if again else set(Renewal.objects.filter(rendering=rendering()).values_list("pk", flat=True))
    owed, now = [], timezone.now()
    for kind in all_kinds():
        if kind.resource in current:
            continue
        exists = kind.model._default_manager.exists()
        begun = {"rendering": rendering(), "last": 0, "compared": 0, "renewed": 0, "begun_at": now}
        Renewal.objects.update_or_create(
            resource=kind.resource, defaults={**begun, "ended_at": None if exists else now}
        )
        if exists:
            owed.append(kind.resource)
    return owed


def renew() -> int:
    """Compare every object now, and return the number of objects whose manifest differed. Idempotent."""
    owe(again=True)
    for _progress in proceed():
        pass
    return sum(Renewal.objects.values_list("renewed", flat=True))


def proceed(seconds: float = float("inf")) -> Iterator[Renewal]:
    """Continue the scheduled resyncs for about `seconds`; yield the progress after each batch.

    A resync that the code of another version has scheduled is left to the worker of that version.
    """
    until = time.monotonic() + seconds
    owed = Renewal.objects.filter(ended_at=None, rendering=rendering()).order_by("pk")
    known = {kind.resource for kind in all_kinds()}
    for renewal in owed.filter(pk__in=known):
        while renewal.ended_at is None:
            if time.monotonic() >= until:
                return
            renewal = _batch(kind_named(renewal.resource), renewal)
            yield renewal
        log.info("manifests_renewed", resource=renewal.pk, compared=renewal.compared, renewed=renewal.renewed)


def _batch(kind: Kind, seen: Renewal) -> Renewal:
    """Compare the next objects without a lock, then lock and write those that differ. Returns the new progress."""
    objects: Any = kind.model._default_manager
    keys = list(objects.filter(pk__gt=seen.last).order_by("pk").values_list("pk", flat=True)[:BATCH])
    differing = _differing(kind, keys)
    with audit.transaction():
        renewal = Renewal.objects.select_for_update().get(pk=seen.pk)
        if (renewal.last, renewal.begun_at) != (seen.last, seen.begun_at):
            # another process has done this batch, or the renewal has begun again
            return renewal
        locked = {row.pk: row for row in objects.filter(pk__in=differing).locked()}
        # a concurrent write has rendered its object already
        still = _differing(kind, list(locked))
        for key in still:
            audit.mark_changed(RENEWAL, locked[key])
        renewal.last = keys[-1] if keys else seen.last
        renewal.compared += len(keys)
        renewal.renewed += len(still)
        renewal.ended_at = timezone.now() if len(keys) < BATCH else None
        renewal.save()
    return renewal


def _differing(kind: Kind, keys: list[int]) -> list[int]:
    """Return the keys of the rows whose manifest is not that of their newest revision."""
    objects: Any = kind.model._default_manager
    newest = dict(objects.filter(pk__in=keys).with_manifest().values_list("pk", "manifest"))
    rows = kind.queryset().with_revision().in_bulk(keys)
    return [
        key for key, row in sorted(rows.items()) if not newest[key] or orjson.loads(newest[key]) != render(kind, row)
    ]
