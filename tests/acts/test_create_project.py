"""Creating and revising a project."""

from functools import partial
from typing import Any

import pytest

from milo.access import Actor
from milo.errors import AlreadyExists, Conflict, Forbidden, Invalid
from milo.kube.metadata import Metadata
from milo.kube.store.changes import version_of
from projects.models import Organization, Project
from projects.services.projects import ProjectSpec, create_project, revise_project
from tests.support import make
from tests.support.ledger import (
    assert_history_explains,
    assert_watchers_see,
    authors,
    causes_of,
    member,
    nobody_in,
    nothing_changes,
    refused,
    revisions,
    staff,
    steps,
    tally,
)
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db
SPEC = ProjectSpec("Web application, front end", ["frontend@acme-corp.example"])


@pytest.fixture
def described(organization: Organization) -> Project:
    """A project with the display name and the contact of `SPEC`."""
    return create_project("webapp-frontend", organization.pk, SPEC, actor=make.PLATFORM)


def test_a_project_begins_active_and_without_a_payer(organization: Organization) -> None:
    metadata = Metadata({"tier": "web"}, {"kubernetes.io/description": "Front end"})
    project = create_project("webapp-frontend", organization.pk, SPEC, metadata, actor=make.PLATFORM)
    project.refresh_from_db()
    assert (project.phase, project.generation, project.organization) == (Project.Phase.ACTIVE, 1, organization)
    assert (project.display_name, project.contact_email_addresses) == (SPEC.display_name, SPEC.contact_email_addresses)
    assert (project.labels, project.annotations) == (metadata.labels, metadata.annotations)
    assert not project.bindings.exists()
    assert steps(project) == [("Active", "ProjectCreated")]
    assert [revision.type for revision in revisions(project)] == ["ADDED"]
    assert_history_explains(project)
    assert_watchers_see(project)


def test_a_name_is_unique_across_the_platform(described: Project) -> None:
    for organization in (described.organization, make.an_organization("globex")):
        with refused(AlreadyExists):
            create_project(described.name, organization.pk, SPEC, actor=make.PLATFORM)


def test_every_fault_is_named_at_once(organization: Organization) -> None:
    faulty = ProjectSpec("", ["nobody", "a@b.example", "a@b.example"])
    with refused(Invalid) as refusal:
        create_project("No Label", organization.pk, faulty, Metadata(annotations={"": "x"}), actor=make.PLATFORM)
    assert set(causes_of(refusal)) == {
        "metadata.name",
        "metadata.annotations",
        "spec.contactEmailAddresses[0]",
        "spec.contactEmailAddresses[2]",
    }


@pytest.mark.parametrize("text", ["4111 1111 1111 1111", "a\0b", "\udfff", "x" * 201])
def test_card_numbers_and_text_that_cannot_be_kept_are_refused(organization: Organization, text: str) -> None:
    with refused(Invalid) as refusal:
        create_project("p", organization.pk, ProjectSpec(text), actor=make.PLATFORM)
    assert set(causes_of(refusal)) == {"spec.displayName"}


@pytest.mark.parametrize(
    "actor",
    [
        lambda pk: member(pk, "billing-admin"),
        lambda pk: member(pk, "billing-user"),
        lambda pk: staff("finance-operator"),
    ],
)
def test_members_who_manage_or_use_billing_create_projects(organization: Organization, actor: Any) -> None:
    who: Actor = actor(organization.pk)
    assert authors(create_project("p", organization.pk, SPEC, actor=who)) == {who.name}


@pytest.mark.parametrize(
    "actor",
    [lambda pk: member(pk, "billing-viewer"), nobody_in, lambda pk: staff("auditor", "finance-approver")],
    ids=["viewer", "of another organization", "other staff"],
)
def test_nobody_else_creates_or_revises_projects(described: Project, actor: Any) -> None:
    who = actor(described.organization_id)
    with refused(Forbidden):
        create_project("p", described.organization_id, SPEC, actor=who)
    with refused(Forbidden):
        revise_project(described.pk, ProjectSpec("Renamed"), actor=who)


def test_revising_replaces_the_spec_and_counts_a_generation(described: Project) -> None:
    revise_project(described.pk, ProjectSpec("Renamed"), actor=make.PLATFORM)
    described.refresh_from_db()
    assert (described.display_name, described.contact_email_addresses, described.generation) == ("Renamed", [], 2)
    assert steps(described)[-1] == ("Active", "ProjectRevised")
    assert_history_explains(described)
    assert_watchers_see(described)


def test_labels_alone_are_no_new_generation_and_nothing_is_no_revision(described: Project) -> None:
    revise_project(described.pk, SPEC, Metadata({"tier": "web"}), actor=make.PLATFORM)
    described.refresh_from_db()
    assert (described.labels, described.generation) == ({"tier": "web"}, 1)
    with nothing_changes():
        revise_project(described.pk, SPEC, actor=make.PLATFORM)
        revise_project(described.pk, SPEC, Metadata({"tier": "web"}), actor=make.PLATFORM)


def test_a_stale_version_is_refused(described: Project) -> None:
    read = version_of(described)
    revise_project(described.pk, ProjectSpec("First"), actor=make.PLATFORM, resource_version=read)
    with refused(Conflict):
        revise_project(described.pk, ProjectSpec("Second"), actor=make.PLATFORM, resource_version=read)


@pytest.mark.django_db(transaction=True)
def test_of_two_projects_created_under_one_name_at_once_one_is_refused() -> None:
    organizations = [make.an_organization(), make.an_organization()]
    for number in range(10):
        create = [partial(create_project, f"p-{number}", o.pk, SPEC, actor=make.PLATFORM) for o in organizations * 2]
        assert tally(at_once(create)) == {"Project": 1, "AlreadyExists": 3}


@pytest.mark.django_db(transaction=True)
def test_no_revision_is_lost_when_many_are_made_at_once() -> None:
    project = make.a_project(make.an_organization())
    for turn in range(5):
        specs = [ProjectSpec(f"{turn}-{n}") for n in range(6)]
        outcomes = at_once([partial(revise_project, project.pk, spec, actor=make.PLATFORM) for spec in specs])
        assert tally(outcomes) == {"Project": 6}
    assert Project.objects.get(pk=project.pk).generation == 31
    assert_history_explains(project)
    assert_watchers_see(project)
