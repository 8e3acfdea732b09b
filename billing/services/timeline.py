"""The timeline of an account: everything that happened to it, newest first, in pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model, Q
from django.utils.translation import gettext as _

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    PayerCorrection,
    Suspension,
    UsageAssignment,
    UsageClosing,
)
from billing.models.approval import public_review
from milo import audit, continue_tokens
from milo.errors import Cause, Invalid

AT_MOST = 1000
"""Events of one page."""
HISTORIES: dict[type[Model], str] = {
    BillingAccount: "id",
    BillingAccountBinding: "account",
    Suspension: "account",
    Hold: "account",
    ApprovalRequest: "account",
    Charge: "account",
    UsageClosing: "account",
    UsageAssignment: "account",
    PayerCorrection: "account",
    BillingAccountAffiliation: "account",
}
_NOTICES = len(HISTORIES)
KINDS = (*(model.__name__ for model in HISTORIES), Notice.__name__)
DELIVERIES = "system:deliveries"
# columns of the API machinery, left out for every reader
_MACHINERY = {"managed_fields", "generation", "phase_since", "paid_by_since", "payer_ready_since", "obstacle_since"}
# columns for staff only
_INTERNAL: dict[type[Model], set[str]] = {Suspension: {"internal_note"}, Hold: {"reason"}}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of an event in a timeline: its instant (UTC), the number of its source, its id in that source.

    One suspension may cause 10,000 events at one instant, so that an instant alone is no position.
    """

    at: datetime
    source: int
    number: int

    def __str__(self) -> str:
        """Return the cursor as an opaque token, safe in a URL."""
        return continue_tokens.seal([self.at.isoformat(), self.source, self.number], "timeline")

    @classmethod
    def parse(cls, token: str) -> "Cursor":
        """Return the cursor of a token.

        Raises `Invalid` for a token of anything but a timeline, `Unreadable` (reason Expired) if its key has retired.
        """
        try:
            at, source, number = continue_tokens.unseal(token, "timeline")
        except continue_tokens.Malformed:
            message = _("is no token of this timeline; begin again without it")
            raise Invalid.because([Cause("query.continue", message)]) from None
        return cls(datetime.fromisoformat(at), source, number)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """An event of an account: `changes` maps the names of changed columns to their values before and after."""

    place: Cursor
    kind: str
    name: str
    reason: str
    message: str
    actor: str
    request_id: str
    credential: str
    credential_maker: str
    approval: UUID | None
    row_id: int
    """The primary key of the object of the event."""
    changes: dict[str, tuple[Any, Any]]

    @property
    def at(self) -> datetime:
        """Return the instant (UTC) of the event."""
        return self.place.at


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to return: of a kind, by a person (such as `user:alice`), and from an instant (UTC) on; else all."""

    kind: str = ""
    actor: str = ""
    since: datetime | None = None

    def admits(self, kind: str) -> bool:
        return self.kind in ("", kind)

    def rows(self, time: str, actor: str) -> Q:
        """Return the condition for rows of a source; `time` and `actor` are its columns."""
        since = Q(**{f"{time}__gte": self.since}) if self.since else Q()
        return since & Q(**{actor: self.actor}) if self.actor and actor else since


EVERYTHING = EventFilter()


def timeline(
    account: BillingAccount,
    before: datetime | None = None,
    after: Cursor | None = None,
    *,
    only: EventFilter = EVERYTHING,
    limit: int = AT_MOST,
    staff: bool = False,
) -> tuple[list[TimelineEvent], Cursor | None]:
    """Return at most `limit` events of `account`, newest first, and the cursor of the next page, None on the last.

    Only events of `only`, earlier than `before` (UTC), and behind the cursor `after` are returned. Events are changes
    of phase, revisions, suspensions, holds, approvals, charges, bindings, affiliations, corrections, closed months and
    assignments of usage, and delivered notices without their recipients. With `staff`, changes of internal notes are
    included.
    """
    # a page may come from one source alone: so limit + 1 rows of each, merged, whose last one tells whether more follow
    events: list[TimelineEvent] = []
    if only.admits(Notice.__name__) and only.actor in ("", DELIVERIES):
        rows = _older(_NOTICES, "delivered_at", "pk", before, after) & only.rows("delivered_at", "")
        events += _of_notices(account, rows, limit + 1)
    for source, (model, path) in enumerate(HISTORIES.items()):
        if not only.admits(model.__name__):
            continue
        rows = Q(**{path: account.pk}) & _older(source, "history_date", "history_id", before, after)
        rows &= only.rows("history_date", "history_user_id")
        events += _of_history(source, model, rows, limit + 1, staff)
    events.sort(key=lambda event: (event.at, -event.place.source, event.place.number), reverse=True)
    page = events[:limit]
    return page, page[-1].place if len(events) > limit else None


def _older(source: int, time: str, key: str, before: datetime | None, after: Cursor | None) -> Q:
    """Return the condition for rows of a source behind the cursor: older ones, and those left at its instant."""
    older = Q(**{f"{time}__lt": before}) if before else Q()
    if after is None:
        return older
    return older & audit.behind((after.at, after.source, after.number), source, time, key)


def _of_history(source: int, model: type[Model], where: Q, limit: int, staff: bool) -> Iterator[TimelineEvent]:
    history = audit.histories()[model].model_of(model)._base_manager
    newest = history.filter(where).order_by("-history_date", "-history_id")[:limit]
    for row, before in audit.with_previous(newest):
        reason, message = row.history_change_reason, row.history_change_message
        if model is Hold and reason == "HoldSet":
            # earlier versions wrote the internal note there
            message = row.instance.described
        yield TimelineEvent(
            Cursor(row.history_date, source, row.history_id),
            model.__name__,
            getattr(row, "name", str(getattr(row, "uid", ""))),
            reason,
            message,
            row.history_user_id,
            row.history_request_id,
            row.history_credential,
            row.history_credential_maker,
            row.history_approval,
            row.id,
            _difference(model, before, row, staff),
        )


def _difference(model: type[Model], before: Any, after: Any, staff: bool) -> dict[str, tuple[Any, Any]]:
    hidden = _MACHINERY if staff else _MACHINERY | _INTERNAL.get(model, set())
    changed = audit.difference(model, before, after, hidden)
    public = ((name, *(_public(value, name) for value in pair)) for name, pair in changed.items())
    return {name: (was, now) for name, was, now in public if was != now}


def _public(value: Any, column: str) -> Any:
    return public_review(value) if column == "reviewed" else value


def _of_notices(account: BillingAccount, where: Q, limit: int) -> Iterator[TimelineEvent]:
    notices = Notice.objects.filter(where, account=account).exclude(delivered_at=None)
    for notice in notices.order_by("-delivered_at", "-pk")[:limit]:
        assert notice.delivered_at
        yield TimelineEvent(
            Cursor(notice.delivered_at, _NOTICES, notice.pk),
            kind="Notice",
            name=str(notice.uid),
            reason="NoticeDelivered",
            message=notice.about,
            actor=DELIVERIES,
            request_id="",
            credential="",
            credential_maker="",
            approval=None,
            row_id=notice.pk,
            changes={},
        )
