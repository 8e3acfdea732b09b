"""History that a wrong clock has left in the future does not move who pays there too."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import BillingAccount, BillingAccountBinding
from billing.services.bindings import relabel_binding
from billing.services.continuity import breaks
from billing.services.past import Payer, payer_at
from billing.services.projects import archive_project
from milo.kube.metadata import Metadata
from milo.ledger import seals
from milo.ledger.verification import verify
from projects.models import Project
from tests.support import make

pytestmark = pytest.mark.django_db
Travel = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Return a context in which the clocks are 15 days ahead, as before the database compared them."""
    now = timezone.now

    @contextmanager
    def travel() -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setattr(timezone, "now", lambda: now() + timedelta(days=15))
            yield

    return travel


@pytest.fixture
def bound(project: Project, account: BillingAccount, ahead: Travel) -> BillingAccountBinding:
    """A binding from now on, with a later label whose history is 15 days ahead."""
    binding = make.a_binding(project, account)
    with ahead():
        relabel_binding(binding.pk, Metadata(labels={"cost-center": "1"}), actor=make.PLATFORM)
    return binding


def test_a_new_payer_pays_from_now_on_though_history_is_ahead(bound: BillingAccountBinding) -> None:
    other = make.a_ready_account(bound.organization)
    successor = make.a_binding(bound.project, other)
    bound.refresh_from_db()
    assert bound.established_at < successor.established_at <= timezone.now()
    assert bound.ended_at == successor.established_at
    assert payer_at(bound.project, timezone.now()) == Payer(successor)
    assert list(breaks()) == []
    # what was known goes on where history stands
    assert successor.history.latest().history_date > timezone.now() + timedelta(days=14)
    third = make.a_binding(bound.project, bound.account)
    assert successor.established_at < third.established_at <= timezone.now()
    seals.seal()
    assert [fault.table for fault in verify().faults if "continu" in fault.message] == []
    assert list(breaks()) == []


def test_an_archived_project_is_paid_for_until_now_though_history_is_ahead(bound: BillingAccountBinding) -> None:
    archive_project(bound.project.pk, actor=make.PLATFORM)
    bound.refresh_from_db()
    assert bound.ended_at
    assert bound.established_at < bound.ended_at <= timezone.now()
    assert payer_at(bound.project, timezone.now()) is None
    assert list(breaks()) == []


def test_a_binding_that_is_ahead_itself_is_followed_without_a_gap(
    project: Project, account: BillingAccount, ahead: Travel
) -> None:
    with ahead():
        first = make.a_binding(project, account)
    second = make.a_binding(project, make.a_ready_account(project.organization))
    assert second.established_at == first.established_at + timedelta(microseconds=1)
    assert list(breaks()) == []
