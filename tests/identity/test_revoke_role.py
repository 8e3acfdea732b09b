"""Taking a role in an organization: by whoever may grant it, for a reason, and never the last by accident."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction

from milo.errors import Forbidden, Invalid
from milo.identity.actors import actor_of
from milo.ledger.live import difference
from milo.ledger.seals import seal
from milo.ledger.tables import table_of
from milo.ledger.verification import verify
from projects.models import Membership, Organization
from projects.services.memberships import grant, members, revoke, role_changes
from tests.support import make
from tests.support.ledger import causes_of, member, nobody_in, nothing_changes, refused, staff, tally
from tests.support.tamper import guards_off
from tests.support.threads import at_once

WHY = "has left the department"
pytestmark = pytest.mark.django_db


@pytest.fixture
def person(organization: Organization) -> User:
    return make.a_person("acme-user", roles={organization: "billing-user"})


@pytest.fixture
def admin(organization: Organization) -> User:
    return make.a_person("acme-admin", roles={organization: "billing-admin"})


def taken(organization: Organization, user: User, role: str = "billing-user", **more: Any) -> None:
    sent: dict[str, Any] = {"why": WHY, "actor": make.PLATFORM}
    revoke(organization, user, role, **sent | more)


def test_a_revoked_role_counts_no_more_and_its_past_stays(organization: Organization, person: User) -> None:
    grant(organization, person, "billing-viewer", why="reads the invoices", actor=make.PLATFORM)
    taken(organization, person, actor=member(organization.pk, "billing-admin"))
    assert actor_of(person).organizations == {organization.pk: frozenset({"billing-viewer"})}
    assert [(held.user, held.role, held.granted_by) for held in members(organization)] == [
        (person, "billing-viewer", "system:tests")
    ]
    past = [(it.history_type, it.role, it.history_user_id, it.history_summary) for it in role_changes(organization)]
    assert past == [
        ("-", "billing-user", "user:member", f"RoleRevoked: {WHY}"),
        ("+", "billing-viewer", "system:tests", "RoleGranted: reads the invoices"),
        ("+", "billing-user", "system:tests", "RoleGranted"),
    ]


@pytest.mark.parametrize("role", ["billing-admin", "finance-operator"])
def test_whoever_may_grant_may_revoke(role: str, organization: Organization, person: User) -> None:
    actor = staff(role) if role == "finance-operator" else member(organization.pk, role)
    grant(organization, person, "billing-viewer", actor=actor)
    taken(organization, person, "billing-viewer", actor=actor)


@pytest.mark.parametrize(
    "actor",
    [
        lambda pk: member(pk, "billing-user", "billing-viewer"),
        nobody_in,
        lambda pk: staff("auditor", "finance-approver", "charge-reporter", "usage-reporter", "platform-admin"),
    ],
    ids=["user and viewer", "of another organization", "other staff"],
)
def test_nobody_else_revokes(actor: Any, organization: Organization, person: User) -> None:
    with refused(Forbidden):
        taken(organization, person, actor=actor(organization.pk))


def test_a_token_for_other_resources_revokes_nothing(organization: Organization, person: User, admin: User) -> None:
    scoped = replace(actor_of(admin), scopes=frozenset({"billingaccounts"}))
    with refused(Forbidden):
        taken(organization, person, actor=scoped)


@pytest.mark.parametrize(
    ("role", "more", "cause"),
    [
        ("billing-viewer", {}, {"spec.role": "FieldValueNotFound"}),
        ("owner", {}, {"spec.role": "FieldValueNotSupported"}),
        ("billing-user", {"why": " "}, {"spec.reason": "FieldValueRequired"}),
        ("billing-user", {"why": "paid by 4111 1111 1111 1111"}, {"message": "FieldValueInvalid"}),
        ("billing-user", {"why": "\x00"}, {"message": "FieldValueInvalid"}),
    ],
)
def test_what_cannot_be_revoked_is_refused(
    role: str, more: dict[str, str], cause: dict[str, str], organization: Organization, person: User
) -> None:
    with refused(Invalid) as caught:
        taken(organization, person, role, **more)
    assert causes_of(caught) == cause


def test_a_role_of_another_organization_stays(organization: Organization, person: User) -> None:
    other = make.an_organization()
    with refused(Invalid) as caught:
        taken(other, person)
    assert causes_of(caught) == {"spec.role": "FieldValueNotFound"}


def test_a_role_is_taken_from_a_deactivated_person_and_not_given_to_one(
    organization: Organization, person: User
) -> None:
    person.is_active = False
    person.save()
    with refused(Invalid) as caught:
        grant(organization, person, "billing-viewer", actor=make.PLATFORM)
    assert causes_of(caught) == {"spec.user": "FieldValueNotFound"}
    taken(organization, person)
    assert not Membership.objects.filter(user=person).exists()


@pytest.mark.parametrize("other_is_active", [None, False, True])
def test_the_last_active_billing_admin_is_taken_only_where_that_is_said(
    other_is_active: bool | None, organization: Organization, admin: User
) -> None:
    make.a_person(roles={make.an_organization(): "billing-admin"})
    if other_is_active is not None:
        other = make.a_person(roles={organization: "billing-admin"})
        User.objects.filter(pk=other.pk).update(is_active=other_is_active)
    if not other_is_active:
        with refused(Invalid, "acme-admin is the last active billing-admin of acme-corp") as caught:
            taken(organization, admin, "billing-admin")
        assert causes_of(caught) == {"spec.allowNoBillingAdmin": "FieldValueRequired"}
    taken(organization, admin, "billing-admin", allow_no_billing_admin=not other_is_active)
    assert not Membership.objects.filter(user=admin).exists()


def test_a_role_can_be_granted_again(organization: Organization, person: User) -> None:
    taken(organization, person)
    grant(organization, person, "billing-user", actor=make.PLATFORM)
    taken(organization, person)
    assert [change.history_type for change in role_changes(organization)] == ["-", "+", "-", "+"]


@pytest.mark.django_db(transaction=True)
def test_two_billing_admins_who_revoke_each_other_at_once_leave_one() -> None:
    for _ in range(5):
        organization = make.an_organization()
        people = [make.a_person(roles={organization: "billing-admin"}) for _ in range(2)]
        acts = [partial(taken, organization, person, "billing-admin") for person in people]
        assert tally(at_once(acts)) == {"NoneType": 1, "Invalid": 1}
        assert Membership.objects.filter(organization=organization).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_role_revoked_by_many_at_once_is_revoked_once() -> None:
    organization = make.an_organization()
    person = make.a_person(roles={organization: "billing-user"})
    assert tally(at_once([partial(taken, organization, person)] * 4)) == {"NoneType": 1, "Invalid": 3}
    assert role_changes(organization).count() == 2


def test_it_is_sealed_and_explained_as_all_history_is(organization: Organization, person: User) -> None:
    taken(organization, person)
    assert seal() > 0
    assert difference(table_of("projects_historicalmembership")) is None
    assert verify().faults == []


def test_the_past_of_a_role_stays_readable_after_its_person_was_deleted(
    organization: Organization, person: User
) -> None:
    taken(organization, person)
    number = person.pk
    # nothing of Milo deletes people, and the application's role may not
    with guards_off():
        person.delete()
    assert [change.username for change in role_changes(organization)] == [f"#{number}"] * 2
    assert str(role_changes(organization)[0].instance) == f"#{number} billing-user acme-corp"


def test_a_role_is_neither_changed_nor_taken_past_the_service(organization: Organization, person: User) -> None:
    held = Membership.objects.get(user=person)
    rows = Membership.objects.filter(pk=held.pk)
    writes: list[Callable[[], object]] = [
        lambda: rows._raw_delete("default"),
        lambda: rows.update(role="billing-admin"),
    ]
    for write in writes:
        with nothing_changes(), pytest.raises(DatabaseError, match="membership_"), transaction.atomic():
            write()
