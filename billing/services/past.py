"""The past: who paid at an instant as it was known at another, accounts as they were, what they paid for then."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from billing.models import BillingAccount, BillingAccountBinding
from projects.models import Project


def payer_at(project: Project, at: datetime, known_at: datetime | None = None) -> BillingAccountBinding | None:
    """The binding in force for `project` at the instant `at`, as the ledger knew it at `known_at` (both UTC).

    None where nobody paid, or nobody knew of it yet. What was known is read from the history: a binding that had not
    been superseded at `known_at` is in force without end there, also at an instant after that.
    """
    if known_at is None:
        paying = BillingAccountBinding.objects.paying(at).filter(project=project)
        # from the newest on, so that the index of the timeline ends at the first
        return paying.select_related("account", "superseded_by").order_by("-established_at").first()
    known = BillingAccountBinding.history.filter(history_date__lte=known_at)
    # the one established last of those that were known: a project's bindings follow one another, and none is deleted
    begun = BillingAccountBinding.objects.filter(project=project, established_at__lte=at)
    last = begun.filter(Exists(known.filter(id=OuterRef("pk")))).order_by("-established_at").values("pk")[:1]
    found = known.filter(id=Subquery(last)).order_by("-history_id").first()
    return _binding(found) if found and (found.ended_at is None or found.ended_at > at) else None


def _binding(row: Any) -> BillingAccountBinding:
    """The binding of a history row, as it was then; it is not saved."""
    binding: BillingAccountBinding = row.instance
    if binding.ended_at is None:
        # who took over later was not known
        binding._state.fields_cache["superseded_by"] = None
    return binding


def as_of(account: BillingAccount, at: datetime) -> BillingAccount | None:
    """The account with its terms as it was at the instant `at` (UTC); None before it was opened. It is not saved."""
    row = account.history.filter(history_date__lte=at).order_by("-history_date", "-history_id").first()
    if row is None:
        return None
    past: BillingAccount = row.instance
    past.organization = account.organization
    past.linked_projects_count = projects_at(account, at).count()  # type: ignore[attr-defined]
    return past


def projects_at(account: BillingAccount, at: datetime) -> QuerySet[BillingAccountBinding]:
    """The bindings by which `account` paid for projects at the instant `at` (UTC), by the names of the projects."""
    paying = BillingAccountBinding.objects.paying(at).filter(account=account)
    return paying.select_related("project").order_by("project__name")
