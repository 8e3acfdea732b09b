"""Finalizers and owner references: kept for the programs that set them, though nothing is deleted here."""

from typing import Any

import pytest

from billing.models import BillingAccount
from milo.kube.kinds import Kind, all_kinds
from projects.models import Organization
from tests.api.client import ACCOUNTS, PROJECTS, Api, nothing_changes
from tests.api.examples import an_account
from tests.api.test_apply_again import CASES, collection, kind_called, manifest, person
from tests.support import make

__all__ = ["person"]
US = f"{ACCOUNTS}/us"
MARK = "kopf.zalando.org/KopfFinalizerMarker"
OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "0aff96a6-4ac0-4f50-a8d4-1e2e645c4595"}
CONTROLS = {"controller": True}


@pytest.mark.parametrize(("kind_name", "name", "spec"), CASES, ids=lambda value: value if type(value) is str else "")
def test_every_kind_keeps_and_returns_them(person: Api, kind_name: str, name: str, spec: dict[str, Any]) -> None:
    kind = kind_called(kind_name)
    sent = manifest(kind, name, spec)
    sent["metadata"] |= {"finalizers": [MARK], "ownerReferences": [OWNER]}
    address = f"{collection(kind)}/{name}"
    applied = person.patch(f"{address}?fieldManager=operator&force=true", sent, "application/apply-patch+yaml")
    assert applied.code in (200, 201), applied.raw
    for shown in (applied.json, person.get(address).done()):
        assert shown["metadata"]["finalizers"] == [MARK]
        assert shown["metadata"]["ownerReferences"] == [OWNER]
    gone = person.patch(address, {"metadata": {"finalizers": None, "ownerReferences": []}}).done()
    assert not {"finalizers", "ownerReferences"} & gone["metadata"].keys()


def test_every_kind_is_tried() -> None:
    assert {name for name, _object, _spec in CASES} == {kind.kind for kind in all_kinds()}


def test_a_namespace_shows_those_of_its_organization(operator: Api, organization: Organization) -> None:
    address = "/api/v1/namespaces/acme-corp"
    assert operator.patch(address, {"metadata": {"finalizers": [MARK]}}).done()["metadata"]["finalizers"] == [MARK]
    organizations: Kind = kind_called("Organization")
    assert operator.get(f"{collection(organizations)}/acme-corp").json["metadata"]["finalizers"] == [MARK]


def test_an_operator_adds_its_finalizer_by_a_patch_and_takes_it_back(admin: Api, account: BillingAccount) -> None:
    others = admin.patch(US, {"metadata": {"finalizers": ["other.example/hold"]}}).done()
    added = admin.patch(US, {"metadata": {"finalizers": ["other.example/hold", MARK]}}).done()
    assert added["metadata"]["finalizers"] == ["other.example/hold", MARK]
    assert int(added["metadata"]["resourceVersion"]) > int(others["metadata"]["resourceVersion"])
    assert added["metadata"]["generation"] == 1
    # they hold up nothing: no object is ever being deleted
    with nothing_changes():
        admin.delete(US).refused(405, "MethodNotAllowed")
    assert "deletionTimestamp" not in admin.get(US).json["metadata"]
    tested = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": added["metadata"]["resourceVersion"]},
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ]
    taken = admin.patch(US, tested, "application/json-patch+json").done()
    assert taken["metadata"]["finalizers"] == ["other.example/hold"]


@pytest.mark.parametrize("phase", BillingAccount.READ_ONLY)
def test_an_operator_can_leave_an_account_that_is_closed(admin: Api, account: BillingAccount, phase: str) -> None:
    admin.patch(US, {"metadata": {"finalizers": [MARK]}}).done()
    make.in_phase(account, phase)
    with nothing_changes():
        admin.patch(US, {"metadata": {"labels": {"a": "b"}, "finalizers": None}}).refused(422, "Invalid")
    assert "finalizers" not in admin.patch(US, {"metadata": {"finalizers": None}}).done()["metadata"]


def test_an_operator_can_leave_a_project_that_is_archived(admin: Api, organization: Organization) -> None:
    make.a_project(organization, "webapp")
    address = f"{PROJECTS}/webapp"
    admin.patch(address, {"metadata": {"finalizers": [MARK]}}).done()
    admin.post(f"{address}/archive").done()
    assert "finalizers" not in admin.patch(address, {"metadata": {"finalizers": None}}).done()["metadata"]


@pytest.mark.parametrize(
    ("code", "metadata", "field"),
    [
        (422, {"finalizers": ["no name"]}, "metadata.finalizers[0]"),
        (422, {"finalizers": [""]}, "metadata.finalizers[0]"),
        (422, {"finalizers": [MARK, MARK]}, "metadata.finalizers"),
        (422, {"finalizers": [f"a.example/{number}" for number in range(101)]}, "metadata.finalizers"),
        (422, {"finalizers": ["4111111111111111"]}, "metadata.finalizers[0]"),
        (400, {"finalizers": [1]}, "metadata.finalizers[0]"),
        (422, {"ownerReferences": [{}]}, "metadata.ownerReferences[0].uid"),
        (422, {"ownerReferences": [OWNER | {"name": ""}]}, "metadata.ownerReferences[0].name"),
        (422, {"ownerReferences": [OWNER, OWNER]}, "metadata.ownerReferences"),
        (422, {"ownerReferences": [OWNER | {"uid": uid} | CONTROLS for uid in "ab"]}, "metadata.ownerReferences"),
        (422, {"ownerReferences": [OWNER | {"name": "4111-1111-1111-1111"}]}, "metadata.ownerReferences[0].name"),
        (400, {"ownerReferences": [OWNER | {"controller": "yes"}]}, "metadata.ownerReferences[0].controller"),
        (400, {"ownerReferences": [OWNER | {"namespace": "x"}]}, "metadata.ownerReferences[0].namespace"),
    ],
)  # fmt: skip
def test_what_they_cannot_be_is_refused_by_its_path(
    admin: Api, organization: Organization, code: int, metadata: dict[str, Any], field: str
) -> None:
    sent = an_account()
    sent["metadata"] |= metadata
    with nothing_changes():
        answer = admin.post(ACCOUNTS, sent)
        answer.refused(code, "Invalid" if code == 422 else "BadRequest")
    assert field in answer.causes()
