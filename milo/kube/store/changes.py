"""The change log: numbers the revisions of an act in commit order and keeps each as a manifest."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from milo import audit
from milo.compiled_queries import Insert
from milo.errors import Conflict
from milo.kube.kinds import Kind, kind_of
from milo.kube.models import Change, Counter
from milo.kube.store.manifests import render

_REVISION = "_kube_revision"
_INSERT = Insert(Change)
_floors: list[Callable[[datetime], int]] = []


def _take(count: int) -> int:
    """Reserve `count` numbers and return the first. Waits for every act that numbered before and has not committed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kube_counter (id, value) VALUES (1, %s)"
            " ON CONFLICT (id) DO UPDATE SET value = kube_counter.value + excluded.value RETURNING value",
            [count],
        )
        return int(cursor.fetchone()[0]) - count + 1


def current_version() -> int:
    """The number of the newest committed revision. Read it before the rows of a list."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM kube_counter")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def oldest_version() -> int:
    """The newest number below which revisions may have been compacted; what came after it is complete.

    Read it after the revisions themselves: a compaction says so here before it deletes.
    """
    return Counter.objects.values_list("compacted", flat=True).first() or 0


def register_floor(floor: Callable[[datetime], int]) -> None:
    """Keep revisions from compaction: those above the number that `floor` returns stay.

    `floor` is given the instant (UTC) before which a revision is old.
    """
    _floors.append(floor)


def compact(older_than: timedelta, batch: int = 1000) -> int:
    """Delete the revisions that were superseded more than `older_than` ago; returns how many.

    Nothing above a registered floor goes, nor the newest revision of an object, nor the one before any that is kept: a
    watch from `oldest_version()` on learns of everything, and of what each object was before. That watermark only goes
    forward, so that what an earlier and shorter `older_than` has deleted stays explained.
    """
    before = timezone.now() - older_than
    old = Change.objects.filter(at__lt=before)
    for floor in _floors:
        old = old.filter(resource_version__lte=floor(before))
    watermark = old.order_by("-resource_version").values_list("resource_version", flat=True).first()
    if watermark is None:
        return 0
    Counter.objects.filter(compacted__lt=watermark).update(compacted=watermark)
    successor = Change.objects.filter(
        uid=OuterRef("uid"), resource_version__gt=OuterRef("resource_version"), resource_version__lte=watermark
    )
    superseded = Change.objects.filter(Exists(successor), resource_version__lt=watermark).order_by("resource_version")
    numbers, deleted, last = superseded.values_list("resource_version", flat=True), 0, 0
    # in batches, so that SQLite's one writer is never held up for long
    while gone := list(numbers.filter(resource_version__gt=last)[:batch]):
        deleted += Change.objects.filter(resource_version__in=gone).delete()[0]
        last = gone[-1]
    return deleted


def version_of(row: models.Model) -> int:
    """The number of the newest revision of `row`; 0 where it has none."""
    newest = Change.objects.filter(uid=row.uid).order_by("-resource_version")  # type: ignore[attr-defined]
    return newest.values_list("resource_version", flat=True).first() or 0


def newest(row: models.Model, count: int) -> list[Change]:
    """Return the `count` newest revisions of `row`, newest first; compacted ones are gone."""
    return list(Change.objects.filter(uid=row.uid).order_by("-resource_version")[:count])  # type: ignore[attr-defined]


def expect(row: models.Model, resource_version: int | None) -> None:
    """Raise `Conflict` where `row`, which the caller holds locked, has moved on from `resource_version`.

    None expects nothing.
    """
    if resource_version is not None and version_of(row) != resource_version:
        raise Conflict(_("the object has been modified; please apply your changes to the latest version and try again"))


@audit.journal
def append(entries: list[audit.Entry]) -> None:
    """Write a revision for each changed row that is shown as a resource."""
    by_kind: dict[Kind, list[audit.Entry]] = defaultdict(list)
    for entry in entries:
        if kind := kind_of(type(entry.row)):
            by_kind[kind].append(entry)
    if not by_kind:
        return
    # rows are read before the counter is taken, so that other acts wait as briefly as can be:
    # whoever could change them is held off by the row locks of this act
    shown: list[tuple[Kind, audit.Entry, Any]] = []
    for kind, changed in by_kind.items():
        rows = kind.rows([entry.row.pk for entry in changed])
        shown += [(kind, entry, rows[entry.row.pk]) for entry in changed]
    first = _take(len(shown))
    written = [_change(kind, entry, row, first + offset) for offset, (kind, entry, row) in enumerate(shown)]
    _INSERT(written)
    for entry, change in zip((entry for _kind, entry, _row in shown), written, strict=True):
        setattr(entry.row, _REVISION, change)


def manifest_written(row: models.Model) -> dict[str, Any] | None:
    """The manifest of the revision that the last act on this instance made; None where it changed nothing.

    A dry run is rolled back, so nobody could read it from the database.
    """
    change: Change | None = getattr(row, _REVISION, None)
    return change.manifest if change else None


def _change(kind: Kind, entry: audit.Entry, row: Any, number: int) -> Change:
    return Change(
        resource_version=number,
        type=Change.Type.ADDED if entry.created else Change.Type.MODIFIED,
        resource=kind.resource,
        organization=kind.organization(row).name,
        namespace=kind.namespace(row),
        name=row.name,
        uid=row.uid,
        manifest=render(kind, row, number),
        actor=entry.actor.name,
        reason=entry.reason,
        message=entry.message,
    )
