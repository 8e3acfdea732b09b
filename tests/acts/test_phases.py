"""A phase changes by a transition only, whatever other threads and instances do at that moment."""

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest
from django.db import models
from django_fsm import TransitionNotAllowed

from billing.models import BillingAccount, BillingAccountBinding
from milo import phases
from projects.models import Organization, Project
from tests.support import make
from tests.support.threads import at_once


def an_account() -> BillingAccount:
    return make.a_ready_account(make.an_organization())


def a_bound_project() -> BillingAccountBinding:
    account = an_account()
    return make.a_binding(make.a_project(account.organization), account)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("make_row", "other_phase"),
    [
        (make.an_organization, "Gone"),
        (lambda: make.a_project(make.an_organization()), Project.Phase.ARCHIVED),
        (an_account, BillingAccount.Phase.CLOSED),
        (a_bound_project, BillingAccountBinding.Phase.ENDED),
        (lambda: an_account().history.latest(), BillingAccount.Phase.PROVISIONING),
    ],
    ids=["organization", "project", "account", "binding", "history"],
)
def test_direct_assignment_is_refused(make_row: Callable[[], Any], other_phase: str) -> None:
    row = make_row()
    before = row.phase
    with pytest.raises(AttributeError, match="phase changes by a transition only"):
        row.phase = other_phase
    assert row.phase == before
    assert type(row)._base_manager.get(pk=row.pk).phase == before


@pytest.mark.django_db
def test_assigning_the_phase_that_it_has_is_no_change() -> None:
    account = an_account()
    account.phase = BillingAccount.Phase.READY
    assert account.phase == BillingAccount.Phase.READY


@pytest.mark.django_db
def test_a_deferred_phase_cannot_be_assigned_and_loads_when_asked_for() -> None:
    account = BillingAccount.objects.only("name").get(pk=an_account().pk)
    with pytest.raises(AttributeError):
        account.phase = BillingAccount.Phase.CLOSED
    assert account.phase == BillingAccount.Phase.READY


@pytest.mark.django_db
def test_refresh_from_db_loads_the_phase_that_another_act_has_reached() -> None:
    account = make.an_incomplete_account(make.an_organization())
    stale = BillingAccount.objects.get(pk=account.pk)
    make.in_phase(BillingAccount.objects.get(pk=account.pk), "Closed")
    stale.refresh_from_db()
    assert stale.phase == BillingAccount.Phase.CLOSED
    with pytest.raises(AttributeError):
        stale.phase = BillingAccount.Phase.INCOMPLETE


@pytest.mark.django_db
def test_a_refresh_that_fails_leaves_every_instance_locked() -> None:
    account, other = an_account(), an_account()
    with pytest.raises(BillingAccount.DoesNotExist):
        account.refresh_from_db(from_queryset=BillingAccount.objects.none())
    for row in (account, other):
        with pytest.raises(AttributeError):
            row.phase = BillingAccount.Phase.CLOSED


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_refreshes_unlocks_no_instance_of_another_thread() -> None:
    inside, tried = Barrier(2), Barrier(2)

    class Held(models.QuerySet[BillingAccount]):
        """A load during which the other thread has its turn."""

        def get(self, *args: Any, **kwargs: Any) -> BillingAccount:
            inside.wait(timeout=30)
            tried.wait(timeout=30)
            return super().get(*args, **kwargs)

    refreshed, attacked = an_account(), an_account()

    def refresh() -> str:
        refreshed.refresh_from_db(from_queryset=Held(BillingAccount))
        return str(refreshed.phase)

    def assign() -> str:
        inside.wait(timeout=30)
        try:
            attacked.phase = BillingAccount.Phase.CLOSED
        finally:
            tried.wait(timeout=30)
        return str(attacked.phase)

    loaded, refusal = at_once([refresh, assign])
    assert loaded == "Ready"
    assert isinstance(refusal, AttributeError)
    assert attacked.phase == BillingAccount.Phase.READY


@pytest.mark.django_db
@pytest.mark.parametrize(
    "transition",
    [lambda account: account.become_ready(), lambda account: account.become_incomplete([])],
    ids=["become_ready", "become_incomplete"],
)
def test_a_transition_from_a_phase_that_has_none_is_refused(transition: Callable[[BillingAccount], None]) -> None:
    account = an_account()
    since = account.phase_since
    with pytest.raises(TransitionNotAllowed):
        transition(account)
    assert (account.phase, account.phase_since) == (BillingAccount.Phase.READY, since)


@pytest.mark.django_db
def test_what_has_ended_neither_ends_again_nor_comes_back() -> None:
    binding = a_bound_project()
    binding.end(binding.established_at, "ProjectArchived")
    for transition in (binding.supersede, lambda at: binding.end(at, "Again")):
        with pytest.raises(TransitionNotAllowed):
            transition(binding.established_at)
    project = make.a_project(make.an_organization())
    project.archive()
    with pytest.raises(TransitionNotAllowed):
        project.archive()


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Organization, Project, BillingAccount, BillingAccountBinding])
def test_every_phase_column_is_protected_and_reloads_itself(model: type[models.Model]) -> None:
    for table in (model, model.history.model):  # type: ignore[attr-defined]
        assert isinstance(table._meta.get_field("phase"), phases.PhaseField)
        assert isinstance(vars(table)["phase"], phases.PhaseDescriptor)
        assert issubclass(table, phases.PhaseLoading)
