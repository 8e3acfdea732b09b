"""Makes the change log agree with the rows again, where an upgrade shows them differently or SQL has changed them.

Reads and lists answer with the newest revision, which is as the version before has rendered it. `migrate` owes a
renewal of each kind where code has changed (`owe`), and the worker pays it in the background (`proceed`): it compares
objects in batches, and writes a revision of those alone that are shown differently. The row of the kind says how far
that came, in the transaction of the revisions, so that after a kill the next round goes on where the last one stopped.
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
    """The digest of all code and data by which objects are rendered; where it is the same, so are the manifests."""
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
    """Owe a renewal of each kind that was last rendered by other code, or with `again` of every kind; returns which."""
    current = set() if again else set(Renewal.objects.filter(rendering=rendering()).values_list("pk", flat=True))
    owed = [kind.resource for kind in all_kinds() if kind.resource not in current]
    begun: dict[str, Any] = {"last": 0, "compared": 0, "renewed": 0, "begun_at": timezone.now(), "ended_at": None}
    for resource in owed:
        Renewal.objects.update_or_create(resource=resource, defaults={"rendering": rendering(), **begun})
    return owed


def renew() -> int:
    """Compare every object now, from the first on; returns how many were shown differently by now.

    Repeating it changes nothing.
    """
    owe(again=True)
    for _progress in proceed():
        pass
    return sum(Renewal.objects.values_list("renewed", flat=True))


def proceed(seconds: float = float("inf")) -> Iterator[Renewal]:
    """Go on with what is owed for about so many seconds; yields how far it came after each batch.

    Of a kind that code of another version owes nothing is done: its worker does it.
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
    """Compare the next objects without a lock, then write those that differ; returns the row as it is then."""
    objects: Any = kind.model._default_manager
    keys = list(objects.filter(pk__gt=seen.last).order_by("pk").values_list("pk", flat=True)[:BATCH])
    differing = _differing(kind, keys)
    with audit.transaction():
        renewal = Renewal.objects.select_for_update().get(pk=seen.pk)
        if (renewal.last, renewal.begun_at) != (seen.last, seen.begun_at):
            # another process has done this batch meanwhile, or all is begun anew
            return renewal
        locked = {row.pk: row for row in objects.filter(pk__in=differing).locked()}
        # what was written since they were looked at is shown as it is
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
    """The keys of rows that are not shown as their newest revision says."""
    objects: Any = kind.model._default_manager
    newest = dict(objects.filter(pk__in=keys).with_manifest().values_list("pk", "manifest"))
    rows = kind.queryset().with_revision().in_bulk(keys)
    return [
        key for key, row in sorted(rows.items()) if not newest[key] or orjson.loads(newest[key]) != render(kind, row)
    ]
