import pytest

from billing.models import BillingAccountBinding
from projects.models import Organization
from tests.api.client import BINDINGS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.support import make

PAYER = f"{BINDINGS}/payer"


@pytest.fixture
def binding(organization: Organization) -> BillingAccountBinding:
    make.a_ready_account(organization, "acme-corp-eu")
    return make.a_binding(
        make.a_project(organization, "webapp"), make.a_ready_account(organization, "acme-corp-us"), "payer"
    )


def test_labels_and_annotations_change(admin: Api, binding: BillingAccountBinding) -> None:
    changed = admin.patch(PAYER, {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}).done()
    assert (changed["metadata"]["labels"], changed["metadata"]["annotations"]) == ({"a": "b"}, {"c": "d"})
    assert changed["metadata"]["generation"] == 1
    assert revisions("payer")[1:] == [("MODIFIED", "BindingRelabelled")]


@pytest.mark.parametrize("field", ["projectRef", "billingAccountRef"])
def test_what_it_binds_is_fixed(admin: Api, binding: BillingAccountBinding, field: str) -> None:
    with nothing_changes():
        patched = admin.patch(PAYER, {"spec": {field: {"name": "acme-corp-eu"}}})
        read = admin.get(PAYER).done()
        read["spec"][field]["name"] = "acme-corp-eu"
        put = admin.put(PAYER, read)
    for answer in (patched, put):
        answer.refused(422, "Invalid")
        assert answer.causes() == {f"spec.{field}.name": "is fixed; create a new binding, which supersedes this one"}


def test_a_binding_is_never_deleted(admin: Api, operator: Api, binding: BillingAccountBinding) -> None:
    with nothing_changes():
        for person in (admin, operator):
            assert "supersedes" in person.delete(PAYER).refused(405, "MethodNotAllowed")["message"]


def test_only_who_may_relabels(viewer: Api, stranger: Api, binding: BillingAccountBinding) -> None:
    with nothing_changes():
        viewer.patch(PAYER, {"metadata": {"labels": {"a": "b"}}}).refused(403, "Forbidden")
        stranger.patch(PAYER, {"metadata": {"labels": {"a": "b"}}}).refused(404, "NotFound")
