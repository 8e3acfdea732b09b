"""Accounts under accounts for tests: affiliations of the present month, plans, and months that go by."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from billing.models import BillingAccount, BillingAccountAffiliation
from billing.models.usage_partitions import next_month
from billing.services.affiliations.creation import create_affiliation
from billing.services.affiliations.facts import activate_due
from billing.services.affiliations.specs import AffiliationSpec, months_after, present_month
from milo.access import Actor
from tests.support import make


def month(after: int = 0) -> date:
    """Return the first day of the present month (UTC), or of the one `after` months later."""
    if after < 0:
        return (month(after + 1) - timedelta(days=1)).replace(day=1)
    return months_after(present_month(), after)


def an_affiliation(
    child: BillingAccount,
    parent: BillingAccount | None = None,
    *,
    payer: str = "",
    after: int = 0,
    name: str | None = None,
    actor: Actor = make.PLATFORM,
) -> BillingAccountAffiliation:
    """Put `child` under `parent`, from the present month on or the one `after` months later."""
    spec = AffiliationSpec(child.name, "one invoice", parent.name if parent else "", payer, month(after))
    affiliation = create_affiliation(child.organization_id, name or make.a_name("baf"), spec, actor=actor)
    for account in filter(None, (child, parent)):
        account.refresh_from_db()
    return affiliation


@pytest.fixture
def in_months(monkeypatch: pytest.MonkeyPatch) -> "Months":
    return Months(monkeypatch)


class Months:
    """A clock that goes forward by whole months, with the worker at each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self._true, self._ahead = monkeypatch, timezone.now, timedelta()

    def go(self, months: int = 1, *, work: bool = True) -> date:
        """Go to the second day of a later month, and return its first."""
        for _each in range(months):
            first = next_month(timezone.now().date().replace(day=1))
            then = datetime(first.year, first.month, 2, tzinfo=UTC)
            self._ahead = then - self._true()
            self._patch.setattr(timezone, "now", lambda: self._true() + self._ahead)
            if work:
                activate_due()
        return timezone.now().date().replace(day=1)

    def before(self, first: date, by: timedelta) -> None:
        """Go to the instant that is `by` before the beginning of a month."""
        self._ahead = datetime(first.year, first.month, 1, tzinfo=UTC) - by - self._true()
        self._patch.setattr(timezone, "now", lambda: self._true() + self._ahead)
