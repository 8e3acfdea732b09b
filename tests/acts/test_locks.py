"""Each lock of the services, shown to be needed: without it one of two acts works on what the other has changed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings

from billing.models import BillingAccount, BillingAccountBinding
from billing.services.accounts import AccountSpec, revise, validate
from billing.services.bindings import bind, relabel_binding
from billing.services.projects import archive_project
from milo.errors import Invalid
from milo.kube.metadata import Metadata
from projects.models import Membership, Organization, Project
from projects.services.memberships import grant
from projects.services.organizations import OrganizationSpec, revise_organization
from projects.services.projects import ProjectSpec, create_project, revise_project
from tests.support import make, verifiers
from tests.support.interleaving import side_by_side, then
from tests.support.ledger import assert_history_explains, assert_timeline, assert_watchers_see, shown, steps, tally

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization)


def binding_of(project: Project, account: BillingAccount) -> Callable[[], BillingAccountBinding]:
    return partial(make.a_binding, project, account)


def archival_of(project: Project) -> Callable[[], Project]:
    return partial(archive_project, project.pk, actor=make.PLATFORM)


def in_phase(account: BillingAccount, phase: str) -> Callable[[], int]:
    """A direct change of the phase, past the services."""
    closed = {"closed_at": timezone.now(), "closed_from": "Ready"} if phase == "Closed" else {}
    return partial(BillingAccount.objects.filter(pk=account.pk).update, phase=phase, **closed)


def linked(account: BillingAccount) -> int:
    count: int = shown(account)["status"]["linkedProjectsCount"]
    return count


def test_a_bind_waits_for_the_bind_before_it(project: Project, account: BillingAccount, other: BillingAccount) -> None:
    second = then(binding_of(project, account), binding_of(project, other))
    assert isinstance(second, BillingAccountBinding)
    assert [binding.account for binding in assert_timeline(project)] == [account, other]


def test_a_bind_waits_for_an_archive_and_is_refused(project: Project, account: BillingAccount) -> None:
    assert isinstance(then(archival_of(project), binding_of(project, account)), Invalid)
    assert assert_timeline(project) == []


def test_an_archive_waits_for_a_bind_and_ends_it(project: Project, account: BillingAccount) -> None:
    assert isinstance(then(binding_of(project, account), archival_of(project)), Project)
    (binding,) = assert_timeline(project)
    assert binding.phase == BillingAccountBinding.Phase.ENDED


def test_an_archive_waits_for_an_archive_and_changes_nothing(project: Project, account: BillingAccount) -> None:
    make.a_binding(project, account)
    assert isinstance(then(archival_of(project), archival_of(project)), Project)
    assert [step for step, _reason in steps(project)] == ["Active", "Archived"]


@pytest.mark.parametrize("phase", ["Suspended", "Closed"])
def test_a_bind_waits_for_the_payer_to_leave_ready_and_is_refused(
    project: Project, account: BillingAccount, phase: str
) -> None:
    assert isinstance(then(in_phase(account, phase), binding_of(project, account)), Invalid)
    assert assert_timeline(project) == []


def test_a_payer_waits_for_a_bind_and_is_not_closed(project: Project, account: BillingAccount) -> None:
    refusal = then(binding_of(project, account), in_phase(account, "Closed"))
    assert isinstance(refusal, IntegrityError)
    assert "account_closed_while_paying" in str(refusal)
    assert len(assert_timeline(project)) == 1


def test_accounts_show_what_they_pay_for_after_two_binds_side_by_side(
    organization: Organization, account: BillingAccount, other: BillingAccount
) -> None:
    projects = [make.a_project(organization) for _ in range(2)]
    assert tally(side_by_side(*(binding_of(p, account) for p in projects))) == {"BillingAccountBinding": 2}
    assert linked(account) == 2
    assert tally(side_by_side(*(binding_of(p, other) for p in projects))) == {"BillingAccountBinding": 2}
    assert (linked(account), linked(other)) == (0, 2)


def test_the_account_that_is_left_shows_what_it_pays_for_as_well(
    organization: Organization, account: BillingAccount
) -> None:
    projects = [make.a_project(organization) for _ in range(2)]
    for project in projects:
        make.a_binding(project, account)
    leave = [binding_of(project, make.a_ready_account(organization)) for project in projects]
    assert tally(side_by_side(*leave)) == {"BillingAccountBinding": 2}
    assert linked(account) == 0


def test_an_account_shows_what_it_pays_for_after_two_archives_side_by_side(
    organization: Organization, account: BillingAccount
) -> None:
    projects = [make.a_project(organization) for _ in range(2)]
    for project in projects:
        make.a_binding(project, account)
    assert tally(side_by_side(*(archival_of(project) for project in projects))) == {"Project": 2}
    assert linked(account) == 0


def test_two_projects_that_change_places_do_not_wait_in_a_circle(
    organization: Organization, account: BillingAccount, other: BillingAccount
) -> None:
    projects = [make.a_project(organization) for _ in range(2)]
    for project, payer in zip(projects, (account, other), strict=True):
        make.a_binding(project, payer)
    swap = [binding_of(project, payer) for project, payer in zip(projects, (other, account), strict=True)]
    assert tally(side_by_side(*swap)) == {"BillingAccountBinding": 2}
    assert (linked(account), linked(other)) == (1, 1)


def test_a_bind_keeps_the_labels_that_the_present_binding_was_given(
    project: Project, account: BillingAccount, other: BillingAccount
) -> None:
    binding = make.a_binding(project, account)
    label = partial(relabel_binding, binding.pk, Metadata({"tier": "gold"}), actor=make.PLATFORM)
    assert isinstance(then(label, binding_of(project, other)), BillingAccountBinding)
    binding.refresh_from_db()
    assert (binding.phase, binding.labels) == ("Superseded", {"tier": "gold"})
    assert_watchers_see(binding)


def test_labels_wait_for_a_bind_and_keep_its_end(
    project: Project, account: BillingAccount, other: BillingAccount
) -> None:
    binding = make.a_binding(project, account)
    label = partial(relabel_binding, binding.pk, Metadata({"tier": "gold"}), actor=make.PLATFORM)
    assert isinstance(then(binding_of(project, other), label), BillingAccountBinding)
    binding.refresh_from_db()
    assert (binding.phase, binding.labels) == ("Superseded", {"tier": "gold"})
    assert_history_explains(binding)
    assert_watchers_see(binding)


def test_no_revision_of_an_account_is_lost(account: BillingAccount) -> None:
    spec = AccountSpec.of(account)
    revisions = [
        partial(revise, account.pk, replace(spec, display_name=name), actor=make.PLATFORM) for name in ("a", "b")
    ]
    assert tally(side_by_side(*revisions)) == {"BillingAccount": 2}
    assert BillingAccount.objects.get(pk=account.pk).generation == 3


def test_an_account_becomes_ready_once(organization: Organization, settings: Settings) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.AWAY
    account = make.a_ready_account(organization)
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.FORM
    validations = [partial(validate, account.pk, actor=make.PLATFORM)] * 2
    assert tally(side_by_side(*validations)) == {"BillingAccount": 1, "Invalid": 1}
    assert [step for step, _reason in steps(account)] == ["Provisioning", "Provisioning", "Ready"]


def test_no_revision_of_a_project_is_lost(project: Project) -> None:
    revisions = [partial(revise_project, project.pk, ProjectSpec(name), actor=make.PLATFORM) for name in ("a", "b")]
    assert tally(side_by_side(*revisions)) == {"Project": 2}
    assert Project.objects.get(pk=project.pk).generation == 3


def test_a_revision_of_a_project_waits_for_its_archive_and_is_refused(project: Project) -> None:
    revision = partial(revise_project, project.pk, ProjectSpec("Renamed"), actor=make.PLATFORM)
    assert isinstance(then(archival_of(project), revision), Invalid)
    assert Project.objects.get(pk=project.pk).phase == Project.Phase.ARCHIVED


def test_no_revision_of_an_organization_is_lost(organization: Organization) -> None:
    revisions = [
        partial(revise_organization, organization.pk, OrganizationSpec(name), actor=make.PLATFORM)
        for name in ("a", "b")
    ]
    assert tally(side_by_side(*revisions)) == {"Organization": 2}
    assert Organization.objects.get(pk=organization.pk).generation == 3


def test_a_role_is_given_once(organization: Organization) -> None:
    person = make.a_person()
    give = partial(grant, organization, person, "billing-user", actor=make.PLATFORM)
    assert isinstance(then(give, give), Membership)
    assert Membership.objects.filter(user=person).count() == 1


@pytest.mark.parametrize("act", ["create_project", "bind"])
def test_a_name_that_is_being_taken_is_taken(
    organization: Organization, project: Project, account: BillingAccount, act: str
) -> None:
    acts: dict[str, Callable[[], Any]] = {
        "create_project": partial(create_project, "name", organization.pk, ProjectSpec(), actor=make.PLATFORM),
        "bind": partial(bind, organization.pk, "name", project.name, account.name, actor=make.PLATFORM),
    }
    other_project = make.a_project(organization)
    seconds = acts | {
        "bind": partial(bind, organization.pk, "name", other_project.name, account.name, actor=make.PLATFORM)
    }
    assert type(then(acts[act], seconds[act])).__name__ == "AlreadyExists"
