"""Inspect the timelines of projects: from the first binding on, each interval begins where the last one ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, Window
from django.db.models.functions import Lag, Lead

from billing.models import BillingAccountBinding
from milo import audit
from milo.access import Actor
from milo.ledger import inspections
from milo.ledger.live import difference
from milo.ledger.tables import all_tables
from projects.models import Project

INSPECTOR = Actor.system("ledger-inspection")


@dataclass(frozen=True, slots=True)
class TimelineBreak:
    """A gap or an overlap in the timeline of a project, or a last binding that does not fit the project's phase."""

    project_id: int
    project: str
    binding: str
    message: str

    def __str__(self) -> str:
        return f"{self.project}: binding {self.binding} {self.message}"


def breaks() -> Iterator[TimelineBreak]:
    """Yield every break of the timelines of all projects, archived ones included, by project, in constant memory."""
    of_project: dict[str, Any] = {"partition_by": F("project_id"), "order_by": ["established_at", "pk"]}
    rows = (
        BillingAccountBinding.objects.annotate(
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


def inspect() -> int:
    """Look for timeline breaks, and for rows that differ from their history; return how many were found.

    Both counts are metrics. New breaks are events of their projects too.
    """
    timeline_breaks = list(breaks())
    _write_events(timeline_breaks)
    inspections.record("continuity", len(timeline_breaks), "; ".join(map(str, timeline_breaks[:3])))
    differences = [each for table in all_tables() if table.recorded and (each := difference(table))]
    message = "; ".join(f"{each.table} row {each.row} {each.message}" for each in differences)
    inspections.record("history", len(differences), message)
    return len(timeline_breaks) + len(differences)


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
