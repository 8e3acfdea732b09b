"""Payer changes for tests, and a clock that goes on from where a test sets it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.models import BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem
from billing.services.payer_changes.creation import create_payer_change
from billing.services.payer_changes.sets import PayerChangeSpec
from milo.access import Actor
from projects.models import Project
from tests.support import make

Travel = Callable[[timedelta], datetime]
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Return a function that sets every clock forward by a span, and returns the instant then."""
    true_now, ahead = timezone.now, [timedelta()]

    def go(by: timedelta) -> datetime:
        ahead[0] += by
        monkeypatch.setattr(timezone, "now", lambda: true_now() + ahead[0])
        return timezone.now()

    return go


def a_payer_change(
    account: BillingAccount, *projects: Project, name: str | None = None, actor: Actor = make.PLATFORM, **spec: Any
) -> PayerChange:
    """Plan that `account` becomes the payer of `projects`, by default in a day."""
    spec = {"effective_at": timezone.now() + DAY, "reason": "the department moves", **spec}
    if projects:
        spec["projects"] = [project.name for project in projects]
    return create_payer_change(
        account.organization_id, name or make.a_name("change"), PayerChangeSpec(account.name, **spec), actor=actor
    )


def outcomes(change: PayerChange) -> dict[str, tuple[str, str]]:
    """Return phase and reason of each item, by the name of its project."""
    items = PayerChangeItem.objects.filter(change=change).select_related("project")
    return {item.project.name: (item.phase, item.reason) for item in items}


class World:
    """An organization with two accounts, of which `eu` pays for three projects."""

    def __init__(self) -> None:
        self.organization = make.an_organization()
        self.eu = make.a_ready_account(self.organization, make.a_name("eu"))
        self.emea = make.a_ready_account(self.organization, make.a_name("emea"))
        self.projects = [make.a_project(self.organization) for _ in range(3)]
        self.bindings = [make.a_binding(project, self.eu) for project in self.projects]

    @property
    def shop(self) -> Project:
        return self.projects[0]

    def payers(self) -> list[str]:
        """Return the names of the accounts that pay for the projects, in their order."""
        paying = BillingAccountBinding.objects.paying().filter(project__in=self.projects).select_related("account")
        return [binding.account.name for binding in paying.order_by("project")]
