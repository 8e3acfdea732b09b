from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from milo.errors import Invalid
from milo.kube.store.apply import apply
from milo.kube.store.managers import MANAGERS_LIMIT, field_manager, updated

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
API = "billing.milo.io/v1alpha1"
Manifest = dict[str, Any]


def manifest(**spec: Any) -> Manifest:
    return {"apiVersion": API, "kind": "BillingAccount", "metadata": {"name": "us"}, "spec": spec}


def written(live: Manifest | None, new: Manifest, manager: str = "curl", at: datetime = NOW) -> Manifest:
    """Return `new` as stored after `manager` has written it over `live`."""
    metadata = {**new["metadata"], "managedFields": updated(live, new, manager, at=at)}
    return {**new, "metadata": metadata}


def changed(live: Manifest, **spec: Any) -> Manifest:
    return {**deepcopy(live), "spec": {**live["spec"], **spec}}


def owners(result: Manifest) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in result["metadata"]["managedFields"]}


def test_the_first_write_is_recorded_with_all_that_it_sets() -> None:
    made = written(None, manifest(currencyCode="USD", paymentTerms={"netDays": 30}))
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "curl",
            "operation": "Update",
            "apiVersion": API,
            "time": "2024-01-15T10:30:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:currencyCode": {}, "f:paymentTerms": {"f:netDays": {}}}},
        }
    ]


def test_a_later_write_takes_over_what_it_changes() -> None:
    made = written(None, manifest(currencyCode="USD", displayName="One"))
    later = written(made, changed(made, displayName="Two"), "kubectl-edit", LATER)
    assert owners(later) == {
        "curl": {"f:spec": {"f:currencyCode": {}}},
        "kubectl-edit": {"f:spec": {"f:displayName": {}}},
    }


def test_what_an_object_had_before_anybody_was_recorded_is_nobodys_in_particular() -> None:
    old = manifest(currencyCode="USD", displayName="One")
    old["metadata"]["creationTimestamp"] = "2023-01-01T00:00:00Z"
    assert updated(old, deepcopy(old), "curl", at=NOW) == []
    assert owners(written(old, changed(old, displayName="Two"))) == {
        "before-first-apply": {"f:spec": {"f:currencyCode": {}}},
        "curl": {"f:spec": {"f:displayName": {}}},
    }


def test_managers_are_handed_over_by_who_writes_them() -> None:
    live = written(None, manifest(currencyCode="USD"), "kubectl-client-side-apply")
    new = deepcopy(live)
    new["metadata"]["managedFields"][0] |= {"manager": "kubectl", "operation": "Apply"}
    migrated = written(live, new, "kubectl")
    assert [(entry["manager"], entry["operation"]) for entry in migrated["metadata"]["managedFields"]] == [
        ("kubectl", "Apply")
    ]
    # so a field that is no longer applied is removed
    assert apply(migrated, manifest(), "kubectl", force=False, at=LATER).get("spec", {}) == {}


def test_another_time_alone_is_no_change() -> None:
    live = written(None, manifest(currencyCode="USD"))
    new = deepcopy(live)
    new["metadata"]["managedFields"][0]["time"] = "2020-01-01T00:00:00Z"
    assert updated(live, new, "curl", at=LATER) == live["metadata"]["managedFields"]


def test_an_empty_entry_forgets_all_managers() -> None:
    live = written(None, manifest(currencyCode="USD"))
    new = changed(live, displayName="One")
    new["metadata"]["managedFields"] = [{}]
    assert updated(live, new, "curl", at=LATER) == []


GOOD: dict[str, Any] = {"manager": "x", "operation": "Update", "apiVersion": API, "fieldsV1": {"f:spec": {"f:a": {}}}}


@pytest.mark.parametrize(
    "entries",
    [
        None, [], "x", [1], [None], [{}, {}], [GOOD | {"operation": "Delete"}], [GOOD | {"fieldsV1": []}],
        [GOOD | {"fieldsV1": {"f:spec": 1}}], [GOOD | {"fieldsV1": {"f:spec": {"x": {}}}}], [GOOD | {"manager": 1}],
        [GOOD | {"fieldsV1": {"f:metadata": {"f:finalizers": {"v:": {}}}}}], [GOOD | {"manager": "a\nb"}],
        [GOOD | {"fieldsV1": {"f:metadata": {"f:ownerReferences": {"k:[]": {}}}}}], [GOOD | {"time": 5}],
        [GOOD | {"manager": "x" * 129}], [GOOD | {"apiVersion": None}],
    ],
)  # fmt: skip
def test_entries_that_cannot_be_read_leave_the_managers_as_they_are(entries: Any) -> None:
    live = written(None, manifest(currencyCode="USD"))
    new = deepcopy(live)
    new["metadata"]["managedFields"] = entries
    assert updated(live, new, "curl", at=LATER) == live["metadata"]["managedFields"]


def test_fields_that_nobody_can_own_are_left_out_of_what_is_sent() -> None:
    live = written(None, manifest(currencyCode="USD"))
    new = deepcopy(live)
    fields = {"f:metadata": {".": {}, "f:name": {}, "f:labels": {".": {}, "f:a": {}}}, "f:status": {"f:phase": {}}}
    new["metadata"]["managedFields"] = [GOOD | {"fieldsV1": fields, "subresource": "status"}]
    [entry] = updated(live, new, "curl", at=LATER)
    assert entry["fieldsV1"] == {"f:metadata": {"f:labels": {"f:a": {}}}}


def test_no_more_managers_than_fifty_are_taken() -> None:
    live = written(None, manifest(currencyCode="USD"))
    new = deepcopy(live)
    new["metadata"]["managedFields"] = [
        GOOD | {"operation": "Apply", "manager": f"manager-{number}"} for number in range(MANAGERS_LIMIT + 1)
    ]
    with pytest.raises(Invalid, match=str(MANAGERS_LIMIT)) as refusal:
        updated(live, new, "curl", at=LATER)
    assert [cause.field for cause in refusal.value.causes] == ["metadata.managedFields"]


def test_the_manager_is_the_parameter_or_the_first_word_of_the_user_agent() -> None:
    assert field_manager("kubectl") == "kubectl"
    assert field_manager("", "kubectl/v1.34.0 (linux/amd64)") == "kubectl"
    assert field_manager("mine", "kubectl/v1.34.0") == "mine"
    assert field_manager("", "a\x01b" + "c" * 200) == "ab" + "c" * 126
    assert field_manager("", "") == field_manager("", "/1.0") == "unknown"
    for name in ("", "x" * 129, "a\nb", "a\0b"):
        with pytest.raises(Invalid) as refusal:
            field_manager(name)
        assert [cause.field for cause in refusal.value.causes] == ["fieldManager"]
