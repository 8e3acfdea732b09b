"""Inspect the timelines of projects: from the first binding on, each interval begins where the last one ended.

Every minute only what changed is read, and what was wrong before; at night everything is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, Window
from django.db.models.functions import Lag, Lead

from billing.models import BillingAccountBinding
from milo import audit
from milo.access import Actor
from milo.ledger import frontier, inspections
from milo.ledger.live import difference, difference_among, rows_changed
from milo.ledger.tables import all_tables
from projects.models import Project

INSPECTOR = Actor.system("ledger-inspection")
AT_ONCE = 1000
REMEMBERED = 1000
"""Of more broken projects than this, the others are found by the next inspection of everything alone."""


@dataclass(frozen=True, slots=True)
class TimelineBreak:
    """A gap or an overlap in the timeline of a project, or a last binding that does not fit the project's phase."""

    project_id: int
    project: str
    binding: str
    message: str

    def __str__(self) -> str:
        return f"{self.project}: binding {self.binding} {self.message}"


def breaks(projects: Sequence[int] | None = None) -> Iterator[TimelineBreak]:
    """Yield every break of the timelines of `projects` (primary keys), by project, in constant memory.

    None stands for all projects, archived ones included.
    """
    of_project: dict[str, Any] = {"partition_by": F("project_id"), "order_by": ["established_at", "pk"]}
    bindings = BillingAccountBinding.objects.all()
    if projects is not None:
        bindings = bindings.filter(project_id__in=projects)
    rows = (
        bindings.annotate(
            before=Window(Lag("pk"), **of_project),
            before_ended=Window(Lag("ended_at"), **of_project),
            after=Window(Lead("pk"), **of_project),
        )
        .filter(
            (Q(before__isnull=False) & ~Q(before_ended=F("established_at")))
            | Q(after__isnull=True, ended_at__isnull=False, project__phase=Project.Phase.ACTIVE)
            | Q(after__isnull=True, ended_at__isnull=True, project__phase=Project.Phase.ARCHIVED)
        )
        .order_by("project_id", "established_at")
        .values_list("project_id", "project__name", "name", "established_at", "ended_at", "before", "before_ended")
    )
    for project_id, project, name, established_at, ended_at, before, before_ended in rows.iterator():
        begins = f"begins at {established_at.isoformat()}"
        if before and (before_ended is None or before_ended > established_at):
            message = f"{begins}, while the one before it is still in force"
        elif before and before_ended < established_at:
            message = f"{begins}, and the one before it ended at {before_ended.isoformat()}"
        elif ended_at:
            message = f"ended at {ended_at.isoformat()}, and nobody pays for the project, which is active"
        else:
            message = "is still in force, and the project is archived"
        yield TimelineBreak(project_id, project, name, message)


def inspect(*, whole: bool = False) -> int:
    """Look for timeline breaks, and for rows that differ from their history; return how many were found.

    Reads what changed since the last inspection, and what that one found; everything if `whole`, or without a last one.
    A change without history, past the service and the guards, is found by a whole inspection alone. Both counts are
    metrics. New breaks are events of their projects too.
    """
    try:
        final = frontier.final_keys()
    except frontier.WritersBusy:
        # read the same again next time: a row below the newest key may still come
        final = {}
    return _inspect_timelines(final, whole) + _inspect_histories(final, whole)


def _inspect_timelines(final: dict[str, int], whole: bool) -> int:
    place = inspections.place_of("continuity")
    past: Any = BillingAccountBinding.history.model._meta.db_table, Project.history.model._meta.db_table
    if whole or not place:
        found = list(breaks())
    else:
        of_bindings, of_projects = (place["through"].get(table, 0) for table in past)
        bindings = BillingAccountBinding.history.filter(pk__gt=of_bindings).order_by()
        changed = set(bindings.values_list("project_id", flat=True).distinct())
        changed |= set(Project.history.filter(pk__gt=of_projects).order_by().values_list("id", flat=True).distinct())
        projects = sorted(changed | set(place["projects"]))
        parts = (projects[start : start + AT_ONCE] for start in range(0, len(projects), AT_ONCE))
        found = [each for part in parts for each in breaks(part)]
    _write_events(found)
    if final or place:
        through = {table: final[table] for table in past} if final else place["through"]
        place = {"through": through, "projects": sorted({each.project_id for each in found})[:REMEMBERED]}
    inspections.record("continuity", len(found), "; ".join(map(str, found[:3])), place or None)
    return len(found)


def _inspect_histories(final: dict[str, int], whole: bool) -> int:
    place = inspections.place_of("history")
    through, rows = place.get("through", {}), place.get("rows", {})
    differences = []
    for table in all_tables():
        if not table.recorded:
            continue
        if whole or table.name not in through:
            found = difference(table)
        else:
            suspect = rows.get(table.name)
            changed = rows_changed(table, through[table.name]) | ({suspect} if suspect else set())
            found = difference_among(table, changed)
        if found:
            differences.append(found)
            rows = {**rows, table.name: found.row}
        else:
            rows = {name: row for name, row in rows.items() if name != table.name}
    message = "; ".join(f"{each.table} row {each.row} {each.message}" for each in differences)
    place = {"through": final or through, "rows": rows}
    inspections.record("history", len(differences), message, place)
    return len(differences)


def _write_events(timeline_breaks: list[TimelineBreak]) -> None:
    # the message of the last inspection: the same breaks give no second event
    known = inspections.message_of("continuity")
    if not timeline_breaks or "; ".join(map(str, timeline_breaks[:3])) == known:
        return
    for each in timeline_breaks:
        with audit.transaction():
            project = Project.objects.locked().get(pk=each.project_id)
            why = f"binding {each.binding} {each.message}"
            audit.mark_changed(INSPECTOR, project, reason="ResponsibilityBroken", why=why)
