"""Archiving a project: for ever, and its binding ends in the same act."""

from typing import Any

import pytest

from billing.models import BillingAccountBinding
from billing.services.projects import archive_project
from milo.access import Actor
from milo.errors import Forbidden, Invalid
from projects.models import Project
from projects.services.projects import ProjectSpec, revise_project
from tests.support import make
from tests.support.ledger import (
    assert_history_explains,
    assert_watchers_see,
    authors,
    member,
    nobody_in,
    nothing_changes,
    refused,
    revisions,
    shown,
    staff,
    steps,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def binding() -> BillingAccountBinding:
    organization = make.an_organization()
    return make.a_binding(make.a_project(organization), make.a_ready_account(organization))


def test_archiving_ends_the_active_binding_in_the_same_act(binding: BillingAccountBinding) -> None:
    project = archive_project(binding.project_id, actor=make.PLATFORM)
    binding.refresh_from_db()
    assert Project.objects.get(pk=project.pk).phase == Project.Phase.ARCHIVED
    assert (binding.phase, binding.end_reason) == (BillingAccountBinding.Phase.ENDED, "ProjectArchived")
    assert binding.ended_at is not None
    assert binding.established_at < binding.ended_at
    assert not BillingAccountBinding.objects.paying().filter(project=project).exists()
    assert steps(project) == [("Active", "ProjectCreated"), ("Archived", "ProjectArchived")]
    assert steps(binding)[-1] == ("Ended", f"Ended: project {project.name} was archived")
    for row in (project, binding):
        assert_history_explains(row)


def test_watchers_of_project_binding_and_account_learn_of_it(binding: BillingAccountBinding) -> None:
    archive_project(binding.project_id, actor=make.PLATFORM)
    touched = {binding: "Ended", binding.project: "ProjectArchived", binding.account: "ProjectUnlinked"}
    for row, reason in touched.items():
        assert revisions(row)[-1].reason == reason
        assert_watchers_see(row)
    assert shown(binding.account)["status"]["linkedProjectsCount"] == 0


def test_an_unbound_project_is_archived_as_well() -> None:
    project = make.a_project(make.an_organization())
    assert archive_project(project.pk, actor=make.PLATFORM).phase == Project.Phase.ARCHIVED
    assert not BillingAccountBinding.objects.exists()


def test_bindings_that_ended_before_stay_as_they_were(binding: BillingAccountBinding) -> None:
    make.a_binding(binding.project, make.a_ready_account(binding.organization))
    before = BillingAccountBinding.objects.filter(pk=binding.pk).values().get()
    archive_project(binding.project_id, actor=make.PLATFORM)
    assert BillingAccountBinding.objects.filter(pk=binding.pk).values().get() == before


def test_archiving_an_archived_project_changes_nothing(binding: BillingAccountBinding) -> None:
    archive_project(binding.project_id, actor=make.PLATFORM)
    with nothing_changes():
        archive_project(binding.project_id, actor=make.PLATFORM)


def test_an_archived_project_cannot_be_revised(binding: BillingAccountBinding) -> None:
    archive_project(binding.project_id, actor=make.PLATFORM)
    with refused(Invalid, "is archived and cannot be changed"):
        revise_project(binding.project_id, ProjectSpec("Renamed"), actor=make.PLATFORM)


def test_the_account_of_an_archived_project_still_pays_for_the_others(binding: BillingAccountBinding) -> None:
    other = make.a_project(binding.organization)
    make.a_binding(other, binding.account)
    archive_project(binding.project_id, actor=make.PLATFORM)
    assert BillingAccountBinding.objects.paying().get(account=binding.account).project == other
    assert shown(binding.account)["status"]["linkedProjectsCount"] == 1


@pytest.mark.parametrize("actor", [lambda pk: member(pk, "billing-admin"), lambda pk: staff("finance-operator")])
def test_billing_admins_and_finance_operators_archive_projects(binding: BillingAccountBinding, actor: Any) -> None:
    who: Actor = actor(binding.organization_id)
    project = archive_project(binding.project_id, actor=who)
    assert who.name in authors(project) & authors(binding)


@pytest.mark.parametrize(
    "actor",
    [
        lambda pk: member(pk, "billing-user", "billing-viewer"),
        nobody_in,
        lambda pk: staff("auditor", "finance-approver"),
    ],
    ids=["user and viewer", "of another organization", "other staff"],
)
def test_nobody_else_archives_projects(binding: BillingAccountBinding, actor: Any) -> None:
    with refused(Forbidden):
        archive_project(binding.project_id, actor=actor(binding.organization_id))
