"""Read the past, which is bitemporal: the payer at an instant (valid time), as known at another (knowledge time).

Valid time is the interval of a binding, or the span of a correction, which counts first; knowledge time is the time of
the history rows of a binding, and the instant at which a correction was recorded.
"""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from billing.models import BillingAccount, BillingAccountBinding, PayerCorrection, UsageAssignment
from milo.compiled_queries import CompiledQuery, Param
from milo.dates import first_of_month
from projects.models import Project


@dataclass(frozen=True, slots=True)
class Payer:
    """Who paid for a project at an instant.

    `binding` is the one in force then, None where a correction covers a time without one. `corrected_by` is the
    correction that names another account than the binding, or None. `payer_of_record_id` is the key of the account that
    is invoiced for it, where that was read in the same query.
    """

    binding: BillingAccountBinding | None
    corrected_by: PayerCorrection | None = None
    payer_of_record_id: int | None = field(default=None, compare=False)

    @property
    def account(self) -> BillingAccount:
        """Return the account that paid."""
        if self.corrected_by:
            return self.corrected_by.account
        assert self.binding, "there is one or the other"
        return self.binding.account


def payer_at(project: Project, at: datetime, known_at: datetime | None = None) -> Payer | None:
    """Return who paid for `project` at the instant `at`, as the ledger knew it at `known_at` (both UTC).

    It is the account of the latest correction that covers the instant, else that of the binding. Return None if nobody
    paid, or nobody knew of it yet. What was known is read from the history: a binding that was not superseded yet at
    `known_at` has no end there, so that it is in force at any later instant too.
    """
    covering = PayerCorrection.objects.covering(at)
    if known_at is not None:
        binding = _known_binding(project, at, known_at)
        corrections = covering.filter(project=project, recorded_at__lte=known_at)
    else:
        month = first_of_month(at)
        found: Any = _PAYING.first(project=project.pk, at=at, month=month)
        if found and found.correction is None:
            # the usual case, in one query
            return Payer(found, payer_of_record_id=found.payer_of_record)
        binding, corrections = found, covering.filter(project=project)
    correction = corrections.select_related("account", "request").first()
    return Payer(binding, correction) if binding or correction else None


def _paying() -> QuerySet[BillingAccountBinding]:
    at = Param("at")
    newest = PayerCorrection.objects.covering(at).filter(project=OuterRef("project")).values("pk")[:1]
    paying = BillingAccountBinding.objects.paying(at).filter(project=Param("project"))
    annotated = paying.with_payer_of_record(Param("month")).annotate(correction=Subquery(newest))
    # newest first, so that the scan of the index of the timeline stops at the first row
    return annotated.select_related("account", "superseded_by").order_by("-established_at")[:1]


_PAYING = CompiledQuery(_paying)


def _known_binding(project: Project, at: datetime, known_at: datetime) -> BillingAccountBinding | None:
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


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time of a project, from `start` up to, not including, `end` (UTC), in which one account paid: None for nobody."""

    start: datetime
    end: datetime
    account_id: int | None


def payers(project: Project, start: datetime, end: datetime) -> list[Stretch]:
    """Return who pays for the usage of a project from `start` up to `end` (UTC), oldest first, without gaps.

    Corrections count first, then bindings, then assignments of usage, as in `billing.services.usage.sums.counting`.
    """
    spans = [*_spans(project, start, end)]
    cuts = sorted({start, end, *(at for began, ended, _account in spans for at in (began, ended) if start < at < end)})
    stretches: list[Stretch] = []
    for began, ended in pairwise(cuts):
        account = next((each for from_, until, each in spans if from_ <= began < until), None)
        if stretches and stretches[-1].account_id == account:
            began = stretches.pop().start
        stretches.append(Stretch(began, ended, account))
    return stretches


def _spans(project: Project, start: datetime, end: datetime) -> list[tuple[datetime, datetime, int]]:
    """Return from, until and account of what overlaps a span: that which counts first comes first."""
    columns = ("starts_at", "ends_at", "account_id")
    corrections = PayerCorrection.objects.filter(project=project).overlapping(start, end).order_by("-recorded_at")
    bindings = BillingAccountBinding.objects.filter(project=project, established_at__lt=end)
    bindings = bindings.exclude(ended_at__lte=start)
    assignments = UsageAssignment.objects.filter(project=project, starts_at__lt=end, ends_at__gt=start)
    bound = bindings.values_list("established_at", "ended_at", "account_id")
    return [
        *corrections.values_list(*columns),
        *((began, ended or end, account) for began, ended, account in bound),
        *assignments.values_list(*columns),
    ]
