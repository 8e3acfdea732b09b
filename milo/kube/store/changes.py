"""The change log: numbers the revisions of a transaction in commit order and stores their manifests."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from milo import audit, clock
from milo.errors import Conflict, Refused
from milo.keys import is_key
from milo.kube.kinds import Kind, kind_of
from milo.kube.models import Change, Counter
from milo.kube.store import numbering
from milo.kube.store.manifests import render

_REVISION = "_kube_revision"
_floors: list[Callable[[datetime], int]] = []


def current_version() -> int:
    """Return the number of the newest committed revision. Read it before the rows of a list."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM kube_counter")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def oldest_version() -> int:
    """Return the watermark of compaction: revisions below it may be gone, later ones are complete.

    Read it after the revisions themselves: compaction moves the watermark before it deletes.
    """
    return Counter.objects.values_list("compacted", flat=True).first() or 0


def newest_instant() -> datetime | None:
    """Return when the newest revision was written (UTC), by the clock of its process; None without revisions."""
    return Change.objects.order_by("-resource_version").values_list("at", flat=True).first()


def register_floor(floor: Callable[[datetime], int]) -> None:
    """Protect revisions from compaction: those with a number above the result of `floor` are kept.

    `floor` gets the instant (UTC) before which a revision counts as old.
    """
    _floors.append(floor)


def compact(older_than: timedelta, batch: int = 1000) -> int:
    """Delete revisions that were superseded more than `older_than` ago and return their number.

    Revisions above a registered floor are kept. So is the newest revision of each object, and the one before any kept
    revision: a watch from `oldest_version()` gets every change together with the previous state.

    The watermark is moved in its own statement before anything is deleted. Readers fetch revisions first and the
    watermark second, so a reader can never take a compacted log for a complete one. The watermark never goes back, so
    that it still covers what an earlier, shorter `older_than` has deleted. Raises `ClockWrong`.
    """
    clock.refuse_wrong()
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
    # in batches, so that SQLite's single writer is never blocked for long
    while gone := list(numbers.filter(resource_version__gt=last)[:batch]):
        deleted += Change.objects.filter(resource_version__in=gone).delete()[0]
        last = gone[-1]
    return deleted


def version_of(row: models.Model) -> int:
    """Return the number of the newest revision of `row`; 0 if it has none."""
    newest = Change.objects.filter(uid=row.uid).order_by("-resource_version")  # type: ignore[attr-defined]
    return newest.values_list("resource_version", flat=True).first() or 0


def version_of_key(model: type[models.Model], key: str) -> int:
    """Return the number of the newest revision of the row with a primary key; 0 if there is none. One query at most."""
    if not is_key(key):
        return 0
    uid = model._base_manager.filter(pk=key).values("uid")
    newest = Change.objects.filter(uid=models.Subquery(uid)).order_by("-resource_version")
    return newest.values_list("resource_version", flat=True).first() or 0


def newest(row: models.Model, count: int) -> list[Change]:
    """Return the `count` newest revisions of `row`, newest first. Compacted revisions are missing."""
    return list(Change.objects.filter(uid=row.uid).order_by("-resource_version")[:count])  # type: ignore[attr-defined]


def expect(row: models.Model, resource_version: int | None) -> None:
    """Raise `Conflict` if `resource_version` is not the newest revision of `row`. None accepts any revision.

    The caller holds the lock of `row`, or calls it by `compared`.
    """
    if resource_version is not None and version_of(row) != resource_version:
        raise Conflict(_("the object has been modified; please apply your changes to the latest version and try again"))


@contextmanager
def compared(row: models.Model, compare: Callable[[], object]) -> Iterator[None]:
    """Call `compare`, which raises if `row` has another revision than expected, before and after an act inside.

    The row is locked for the second comparison only: the act writes what has this revision, or nothing. Locked before
    it, the row would come before what the act locks first (docs/architecture.md, "Lock order"). A refusal of the act
    comes after the comparison: it may be due to a change that nobody has seen.
    """
    kind = kind_of(type(row))
    assert kind
    compare()
    try:
        yield
    except Refused as refusal:
        if not isinstance(refusal.__cause__ or refusal.__context__, DatabaseError):
            compare()
        raise
    # nothing new where the act has written the row
    kind.lock(row)
    compare()


@audit.journal
def append(entries: list[audit.Entry]) -> None:
    """Write a revision for each changed row that is served as a resource. Runs at the end of each transaction.

    Takes the counter last. Its lock serializes all writers until commit, so rows are read and manifests prepared
    before it. That is safe: the row locks of this transaction keep others from changing these rows meanwhile.
    """
    by_kind: dict[Kind, list[audit.Entry]] = defaultdict(list)
    for entry in entries:
        if kind := kind_of(type(entry.row)):
            by_kind[kind].append(entry)
    if not by_kind:
        return
    # rows are read and shown before the numbers are taken, so that other acts wait as briefly as can be:
    # whoever could change them is held off by the row locks of this act
    written: list[Change] = []
    for kind, changed in by_kind.items():
        rows = kind.rows([entry.row.pk for entry in changed])
        for entry in changed:
            _refuse_other_keys(entry.row, rows[entry.row.pk])
            change = _change(kind, entry, rows[entry.row.pk])
            setattr(entry.row, _REVISION, change)
            written.append(change)
    numbering.write(written)


def _refuse_other_keys(row: models.Model, stored: models.Model) -> None:
    """Raise `ValueError` if an act has set a key of `row` in memory, which its UPDATE has left as it was."""
    loaded, kept = row.__dict__, stored.__dict__
    if changed := [key for key in audit.fixed_keys(type(stored)) if loaded.get(key, kept[key]) != kept[key]]:
        raise ValueError(f"{', '.join(sorted(changed))} of {stored} cannot change")


def manifest_written(row: models.Model) -> dict[str, Any] | None:
    """Return the manifest that the last transaction on this instance wrote; None if it changed nothing.

    Kept on the instance because a dry run is rolled back and leaves nothing to read in the database.
    """
    change: Change | None = getattr(row, _REVISION, None)
    return change.manifest if change else None


def _change(kind: Kind, entry: audit.Entry, row: Any) -> Change:
    return Change(
        type=Change.Type.ADDED if entry.created else Change.Type.MODIFIED,
        resource=kind.resource,
        organization=kind.organization(row).name,
        namespace=kind.namespace(row),
        name=row.name,
        uid=row.uid,
        manifest=render(kind, row, numbering.UNNUMBERED),
        at=timezone.now(),
        actor=entry.actor.name,
        reason=entry.reason,
        message=entry.message,
    )
