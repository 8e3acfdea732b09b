"""The past: who paid at an instant as it was known at another, accounts as they were, all that happened to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Charge, Hold, Notice, Suspension
from milo import audit
from projects.models import Project

AT_MOST = 1000
"""Events of one answer; what is older is asked for by `before`."""
HISTORIES: dict[type[Model], str] = {
    BillingAccount: "id",
    BillingAccountBinding: "account",
    Suspension: "account",
    Hold: "account",
    ApprovalRequest: "account",
    Charge: "account",
}
# the machinery of an object, which no reader of its history asks for
_UNTOLD = {"managed_fields", "generation", "phase_since"}


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


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to an account: `changes` are the columns that it changed, before and after."""

    at: datetime
    kind: str
    name: str
    reason: str
    message: str
    actor: str
    request_id: str
    approval: UUID | None
    changes: dict[str, tuple[Any, Any]]


def happenings(account: BillingAccount, before: datetime | None = None, *, staff: bool = False) -> list[Happening]:
    """What happened to `account` before the instant `before` (UTC; None: ever), newest first, at most `AT_MOST`.

    Phases, revisions with their difference, suspensions, holds, approvals, charges, bindings, and notices without who
    got them. `staff` are told the internal notes too.
    """
    found = [
        happening for model, path in HISTORIES.items() for happening in _of_history(model, path, account, before, staff)
    ]
    found += _of_notices(account, before)
    return sorted(found, key=lambda happening: happening.at, reverse=True)[:AT_MOST]


def _of_history(
    model: type[Model], path: str, account: BillingAccount, before: datetime | None, staff: bool
) -> Iterator[Happening]:
    history = audit.histories()[model].model_of(model)._base_manager
    previous = history.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id")).order_by("-history_id")
    of_account = Q(**{path: account.pk}) & (Q(history_date__lt=before) if before else Q())
    rows: list[Any] = list(
        history.filter(of_account)
        .annotate(previous=Subquery(previous.values("history_id")[:1]))
        .order_by("-history_date", "-history_id")[:AT_MOST]
    )
    earlier = history.in_bulk([row.previous for row in rows if row.previous])
    for row in rows:
        reason, _colon, message = row.history_change_reason.partition(": ")
        yield Happening(
            row.history_date,
            model.__name__,
            getattr(row, "name", str(getattr(row, "uid", ""))),
            reason,
            message,
            row.history_user_id,
            row.history_request_id,
            row.history_approval,
            _difference(model, earlier.get(row.previous), row, staff),
        )


def _difference(model: type[Model], before: Any, after: Any, staff: bool) -> dict[str, tuple[Any, Any]]:
    untold = _UNTOLD if staff else _UNTOLD | {"internal_note"}
    columns = (column for column in model._meta.concrete_fields if column.name not in untold)
    if before is None:
        return {}
    values = ((column.name, getattr(before, column.attname), getattr(after, column.attname)) for column in columns)
    return {name: (was, now) for name, was, now in values if was != now}


def _of_notices(account: BillingAccount, before: datetime | None) -> Iterator[Happening]:
    notices = Notice.objects.filter(account=account).exclude(delivered_at=None).order_by("-delivered_at")
    for notice in (notices.filter(delivered_at__lt=before) if before else notices)[:AT_MOST]:
        assert notice.delivered_at
        yield Happening(
            at=notice.delivered_at,
            kind="Notice",
            name=str(notice.uid),
            reason="NoticeDelivered",
            message=notice.about,
            actor="system:deliveries",
            request_id="",
            approval=None,
            changes={},
        )
