"""Read the past, which is bitemporal: the payer at an instant (valid time), as known at another (knowledge time).

Valid time is the interval of a binding; knowledge time is the time of its history rows.
"""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from billing.models import BillingAccount, BillingAccountBinding
from projects.models import Project


def payer_at(project: Project, at: datetime, known_at: datetime | None = None) -> BillingAccountBinding | None:
    """Return the binding in force for `project` at the instant `at`, as the ledger knew it at `known_at` (both UTC).

    Return None if nobody paid, or nobody knew of it yet. What was known is read from the history: a binding that was
    not superseded yet at `known_at` has no end there, so that it is in force at any later instant too.
    """
    if known_at is None:
        paying = BillingAccountBinding.objects.paying(at).filter(project=project)
        # newest first, so that the scan of the index of the timeline stops at the first row
        return paying.select_related("account", "superseded_by").order_by("-established_at").first()
    known = BillingAccountBinding.history.filter(history_date__lte=known_at)
    # the last one that was known: bindings of a project follow one another without overlap, and none is deleted
    begun = BillingAccountBinding.objects.filter(project=project, established_at__lte=at)
    last = begun.filter(Exists(known.filter(id=OuterRef("pk")))).order_by("-established_at").values("pk")[:1]
    row = known.filter(id=Subquery(last)).order_by("-history_id").first()
    if row and row.established_at > at:
        # redated since, out of the future: it was not known then that it would be in force at this instant
        newer = known.filter(id=OuterRef("id"), history_id__gt=OuterRef("history_id"))
        begun = known.filter(project=project, established_at__lte=at).exclude(Exists(newer))
        row = begun.order_by("-established_at", "-history_id").first()
    return _binding(row) if row and (row.ended_at is None or row.ended_at > at) else None


def _binding(row: Any) -> BillingAccountBinding:
    """Return the unsaved binding of a history row."""
    binding: BillingAccountBinding = row.instance
    if binding.ended_at is None:
        # its successor was not known then; cached as None, or Django would read the present one
        binding._state.fields_cache["superseded_by"] = None
    return binding


def as_of(account: BillingAccount, at: datetime) -> BillingAccount | None:
    """Return the unsaved account as it was at the instant `at` (UTC), None if it was not open yet."""
    row = account.history.filter(history_date__lte=at).order_by("-history_date", "-history_id").first()
    if row is None:
        return None
    past: BillingAccount = row.instance
    past.organization = account.organization
    past.linked_projects_count = projects_at(account, at).count()  # type: ignore[attr-defined]
    return past


def projects_at(account: BillingAccount, at: datetime) -> QuerySet[BillingAccountBinding]:
    """Return the bindings by which `account` paid at the instant `at` (UTC), ordered by the names of the projects."""
    paying = BillingAccountBinding.objects.paying(at).filter(account=account)
    return paying.select_related("project").order_by("project__name")
