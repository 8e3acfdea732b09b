"""The timeline of an account for its readers: what each may see of an event, as JSON and as rows of a table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing.access import ACCOUNTS
from billing.models import BillingAccount
from billing.services.timeline import AT_MOST, EVERYTHING, Cursor, EventFilter, TimelineEvent, timeline
from milo.access import Actor
from milo.kube.store.manifests import precise_instant, without_empty

COLUMNS = (
    "at",
    "kind",
    "name",
    "reason",
    "message",
    "actor",
    "requestID",
    "credential",
    "credentialMaker",
    "approval",
)


def readable_timeline(
    account: BillingAccount,
    before: datetime | None = None,
    after: Cursor | None = None,
    *,
    only: EventFilter = EVERYTHING,
    limit: int = AT_MOST,
    actor: Actor,
) -> tuple[list[TimelineEvent], Cursor | None]:
    """Return a page of `timeline` with what `actor` may see of each event, and the cursor of the next page.

    Internal notes need the permission to suspend the account, credentials the permission to read every account.
    """
    staff = actor.may("create", ACCOUNTS, account.organization_id, action="suspend")
    events, following = timeline(account, before, after, only=only, limit=limit, staff=staff)
    # credentials say how customers' people log in: for staff of the platform only, auditors included
    if not actor.may("get", ACCOUNTS, None):
        events = [replace(event, credential="", credential_maker="") for event in events]
    return events, following


def whole_timeline(
    account: BillingAccount,
    before: datetime | None = None,
    after: Cursor | None = None,
    *,
    only: EventFilter = EVERYTHING,
    actor: Actor,
) -> Iterator[TimelineEvent]:
    """Yield the events of every page of `readable_timeline` from `after` on."""
    while True:
        events, after = readable_timeline(account, before, after, only=only, actor=actor)
        yield from events
        if after is None:
            return


def as_json(event: TimelineEvent) -> dict[str, Any]:
    """Return the event as JSON, without empty fields."""
    return without_empty(
        {
            "at": precise_instant(event.at),
            "kind": event.kind,
            "name": event.name,
            "reason": event.reason,
            "message": event.message,
            "actor": event.actor,
            "requestID": event.request_id,
            "credential": event.credential,
            "credentialMaker": event.credential_maker,
            "approval": event.approval and str(event.approval),
            "changes": [
                {"field": name, "before": _json(before), "after": _json(after)}
                for name, (before, after) in event.changes.items()
            ],
        }
    )


def _json(value: Any) -> Any:
    """Return the value of a column as JSON."""
    if value is None or isinstance(value, str | int | float | list | dict):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)


def rows(items: Iterable[dict[str, Any]]) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table of events as JSON, the names of the columns first."""
    yield (*COLUMNS, "changes")
    for item in items:
        changed = (f"{each['field']}: {each['before']} -> {each['after']}" for each in item.get("changes", ()))
        yield (*(item.get(name, "") for name in COLUMNS), "; ".join(changed))
