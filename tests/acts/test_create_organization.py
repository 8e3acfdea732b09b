"""Creating and revising an organization, and giving people roles in it."""

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User

from milo.access import Actor
from milo.errors import AlreadyExists, Conflict, Forbidden, Invalid
from milo.identity.actors import actor_of
from milo.kube.metadata import Metadata
from milo.kube.store.changes import version_of
from projects.models import Membership, Organization
from projects.services.memberships import grant
from projects.services.organizations import OrganizationSpec, create_organization, revise_organization
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
    staff,
    steps,
    tally,
)
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db
SPEC = OrganizationSpec("Acme Corporation")


def test_an_organization_begins_active() -> None:
    organization = create_organization("acme-corp", SPEC, actor=make.PLATFORM)
    organization.refresh_from_db()
    assert (organization.name, organization.display_name) == ("acme-corp", "Acme Corporation")
    assert (organization.phase, organization.generation) == (Organization.Phase.ACTIVE, 1)
    assert steps(organization) == [("Active", "OrganizationCreated")]
    assert_history_explains(organization)
    assert_watchers_see(organization)


def test_a_name_is_unique(organization: Organization) -> None:
    with refused(AlreadyExists):
        create_organization("acme-corp", OrganizationSpec(), actor=make.PLATFORM)


def test_every_fault_is_named_at_once() -> None:
    with refused(Invalid) as refusal:
        create_organization("Acme Corp", SPEC, Metadata({"": "x"}, {"a/b/c": ""}), actor=make.PLATFORM)
    assert set(causes_of(refusal)) == {"metadata.name", "metadata.labels", "metadata.annotations"}


@pytest.mark.parametrize("text", ["4111 1111 1111 1111", "a\0b", "\udfff", "x" * 201])
def test_card_numbers_and_text_that_cannot_be_kept_are_refused(text: str) -> None:
    with refused(Invalid) as refusal:
        create_organization("acme-corp", OrganizationSpec(text), actor=make.PLATFORM)
    assert set(causes_of(refusal)) == {"spec.displayName"}


def test_finance_operators_alone_create_organizations(organization: Organization) -> None:
    for actor in (
        member(organization.pk, "billing-admin", "billing-user", "billing-viewer"),
        staff("auditor", "finance-approver", "billing-admin"),
        Actor("user:guest"),
    ):
        with refused(Forbidden):
            create_organization("globex", SPEC, actor=actor)
    assert authors(create_organization("globex", SPEC, actor=staff("finance-operator"))) == {"user:staff"}


def test_revising_replaces_the_spec_and_counts_a_generation(organization: Organization) -> None:
    read = version_of(organization)
    actor = member(organization.pk, "billing-admin")
    revise_organization(organization.pk, OrganizationSpec("Acme"), actor=actor, resource_version=read)
    organization.refresh_from_db()
    assert (organization.display_name, organization.generation) == ("Acme", 2)
    assert_history_explains(organization)
    assert_watchers_see(organization)
    with refused(Conflict):
        revise_organization(organization.pk, SPEC, actor=actor, resource_version=read)
    with nothing_changes():
        revise_organization(organization.pk, OrganizationSpec("Acme"), Metadata(), actor=actor)
    revise_organization(organization.pk, OrganizationSpec("Acme"), Metadata({"tier": "gold"}), actor=actor)
    assert Organization.objects.get(pk=organization.pk).generation == 2


@pytest.mark.parametrize(
    "actor",
    [
        lambda pk: member(pk, "billing-user", "billing-viewer"),
        nobody_in,
        lambda pk: staff("auditor", "finance-approver"),
    ],
    ids=["user and viewer", "of another organization", "other staff"],
)
def test_nobody_else_revises_it_or_gives_roles_in_it(organization: Organization, actor: Any) -> None:
    person = make.a_person()
    with refused(Forbidden):
        revise_organization(organization.pk, OrganizationSpec("Acme"), actor=actor(organization.pk))
    with refused(Forbidden):
        grant(organization, person, "billing-admin", actor=actor(organization.pk))


def test_a_role_counts_in_its_organization_only(organization: Organization) -> None:
    person, other = make.a_person("acme-admin"), make.an_organization("globex")
    held = grant(organization, person, "billing-admin", actor=member(organization.pk, "billing-admin"))
    assert authors(held) == {"user:member"}
    assert actor_of(person).organizations == {organization.pk: frozenset({"billing-admin"})}
    with refused(Forbidden):
        revise_organization(other.pk, SPEC, actor=actor_of(person))


def test_a_role_given_twice_is_held_once(organization: Organization) -> None:
    person = make.a_person()
    held = grant(organization, person, "billing-viewer", actor=make.PLATFORM)
    with nothing_changes():
        assert grant(organization, person, "billing-viewer", actor=make.PLATFORM) == held


def test_a_role_that_there_is_not_is_refused(organization: Organization) -> None:
    person = make.a_person()
    with refused(Invalid) as refusal:
        grant(organization, person, "owner", actor=make.PLATFORM)
    assert causes_of(refusal) == {"spec.role": "FieldValueNotSupported"}


@pytest.mark.django_db(transaction=True)
def test_of_two_organizations_created_under_one_name_at_once_one_is_refused() -> None:
    for number in range(10):
        outcomes = at_once([partial(create_organization, f"org-{number}", SPEC, actor=make.PLATFORM)] * 4)
        assert tally(outcomes) == {"Organization": 1, "AlreadyExists": 3}


@pytest.mark.django_db(transaction=True)
def test_a_role_given_by_many_at_once_is_held_once() -> None:
    organization = make.an_organization()
    for number in range(10):
        person = User.objects.create_user(f"person-{number}")
        outcomes = at_once([partial(grant, organization, person, "billing-user", actor=make.PLATFORM)] * 4)
        assert tally(outcomes) == {"Membership": 4}
        assert Membership.objects.filter(user=person).count() == 1


@pytest.mark.django_db(transaction=True)
def test_no_revision_is_lost_when_many_are_made_at_once() -> None:
    organization = make.an_organization()
    for turn in range(5):
        specs = [OrganizationSpec(f"{turn}-{n}") for n in range(6)]
        outcomes = at_once([partial(revise_organization, organization.pk, s, actor=make.PLATFORM) for s in specs])
        assert tally(outcomes) == {"Organization": 6}
    assert Organization.objects.get(pk=organization.pk).generation == 31
    assert_history_explains(organization)
