"""Roles in an organization over the API: granted, revoked, read, and effective at the next request."""

import csv

import pytest

from projects.models import Membership, Organization
from tests.api.client import ACCOUNTS, ORGANIZATIONS, PROJECTS, Api, nothing_changes
from tests.support import make

ACME = f"{ORGANIZATIONS}/acme-corp"
pytestmark = pytest.mark.django_db


def spec(user: str, role: str, **more: object) -> dict[str, object]:
    return {"spec": {"user": user, "role": role, **more}}


def test_a_role_is_granted_and_revoked_and_both_are_read_with_who_and_why(
    admin: Api, organization: Organization
) -> None:
    make.a_person("clerk")
    answer = admin.post(f"{ACME}/grantrole", spec("clerk", "billing-user", reason="binds projects"))
    assert answer.done()["metadata"]["name"] == "acme-corp"
    held = {item["user"]: item for item in admin.get(f"{ACME}/members").done()["items"]}
    assert held.keys() == {"acme-admin", "clerk"}
    assert (held["clerk"]["role"], held["clerk"]["grantedBy"], held["clerk"]["active"]) == (
        "billing-user",
        "user:acme-admin",
        True,
    )
    revoking = spec("clerk", "billing-user", reason="=has left")
    admin.post(f"{ACME}/revokerole", revoking, X_Request_ID="request-17").done()
    assert [item["user"] for item in admin.get(f"{ACME}/members").done()["items"]] == ["acme-admin"]
    newest = admin.get(f"{ACME}/rolehistory").done()["items"][0]
    assert newest.pop("at")
    assert newest == {
        "user": "clerk",
        "role": "billing-user",
        "reason": "RoleRevoked",
        "message": "=has left",
        "actor": "user:acme-admin",
        "requestID": "client:request-17",
    }
    rows = list(csv.DictReader(admin.get(f"{ACME}/rolehistory", Accept="text/csv").raw.decode().splitlines()))
    assert [(row["user"], row["reason"], row["message"]) for row in rows] == [
        ("clerk", "RoleRevoked", "'=has left"),
        ("clerk", "RoleGranted", "binds projects"),
        ("acme-admin", "RoleGranted", ""),
    ]


def test_it_is_effective_at_the_next_request_with_the_same_token(operator: Api, admin: Api, viewer: Api) -> None:
    admin.get(ACCOUNTS).done()
    assert viewer.get(ACME).code == 200
    reason = {"reason": "has left"}
    operator.post(f"{ACME}/revokerole", spec("acme-viewer", "billing-viewer", **reason)).done()
    assert [viewer.get(path).code for path in (ACME, ACCOUNTS, f"{ACME}/members")] == [404, 404, 404]
    assert viewer.get(PROJECTS).code == 403
    operator.post(f"{ACME}/revokerole", spec("acme-admin", "billing-admin", allowNoBillingAdmin=True, **reason)).done()
    with nothing_changes():
        assert admin.patch(ACME, {"spec": {"displayName": "mine"}}).code == 404
        assert admin.post(f"{ACME}/grantrole", spec("acme-admin", "billing-admin")).code == 404


def test_a_role_that_is_left_counts_on(operator: Api, organization: Organization) -> None:
    person = make.a_person("both", roles={organization: "billing-admin"})
    make.a_person(roles={organization: "billing-admin"})
    operator.post(f"{ACME}/grantrole", spec("both", "billing-viewer")).done()
    client = Api.of(person)
    client.patch(ACME, {"spec": {"displayName": "mine"}}).done()
    operator.post(f"{ACME}/revokerole", spec("both", "billing-admin", reason="only reads now")).done()
    assert client.get(ACME).code == 200
    with nothing_changes():
        client.patch(ACME, {"spec": {"displayName": "mine again"}}).refused(403, "Forbidden")


def test_the_last_billing_admin_is_kept_unless_said(admin: Api, organization: Organization) -> None:
    with nothing_changes():
        answer = admin.post(f"{ACME}/revokerole", spec("acme-admin", "billing-admin", reason="has left"))
        answer.refused(422, "Invalid")
    assert "last active billing-admin of acme-corp" in answer.causes()["spec.allowNoBillingAdmin"]
    said = spec("acme-admin", "billing-admin", reason="has left", allowNoBillingAdmin=True)
    admin.post(f"{ACME}/revokerole", said).done()
    assert not Membership.objects.filter(organization=organization).exists()


@pytest.mark.parametrize(
    ("act", "sent", "field"),
    [
        ("grantrole", {}, "spec.user"),
        ("grantrole", {"user": "nobody-here", "role": "billing-user"}, "spec.user"),
        ("grantrole", {"user": "acme-admin", "role": "finance-operator"}, "spec.role"),
        ("revokerole", {"user": "acme-admin", "role": "billing-user", "reason": "x"}, "spec.role"),
        ("revokerole", {"user": "nobody-here", "role": "billing-user", "reason": "x"}, "spec.user"),
        ("revokerole", {"user": "acme-admin", "role": "billing-admin"}, "spec.reason"),
        ("revokerole", {"user": "acme-admin", "role": "billing-admin", "reason": ""}, "spec.reason"),
        (
            "revokerole",
            {"user": "acme-admin", "role": "billing-admin", "reason": "x", "allowNoBillingAdmin": "true"},
            "spec.allowNoBillingAdmin",
        ),
    ],
)
def test_a_fault_is_named_at_its_field(admin: Api, act: str, sent: dict[str, str], field: str) -> None:
    with nothing_changes():
        answer = admin.post(f"{ACME}/{act}", {"spec": sent})
        answer.refused(422, "Invalid")
    assert field in answer.causes()


def test_a_deactivated_person_is_not_granted_a_role(admin: Api) -> None:
    make.a_person("gone", is_active=False)
    with nothing_changes():
        assert "spec.user" in admin.post(f"{ACME}/grantrole", spec("gone", "billing-user")).causes()


def test_a_dry_run_changes_nothing(admin: Api, organization: Organization) -> None:
    make.a_person("clerk", roles={organization: "billing-user"})
    with nothing_changes():
        admin.post(f"{ACME}/revokerole?dryRun=All", spec("clerk", "billing-user", reason="has left")).done()


def test_members_are_read_in_a_constant_number_of_queries(
    admin: Api, organization: Organization, django_assert_max_num_queries: object
) -> None:
    for _ in range(20):
        make.a_person(roles={organization: "billing-viewer"})
    admin.get(f"{ACME}/members").done()
    for reading in ("members", "rolehistory"):
        with django_assert_max_num_queries(4):  # type: ignore[operator]
            assert len(admin.get(f"{ACME}/{reading}").done()["items"]) == 21
