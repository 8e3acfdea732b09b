import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.errors import Cause, Conflict, Invalid, Refused
from milo.kube.store.apply import LAST_APPLIED, apply
from milo.kube.store.managers import MANAGERS_LIMIT, updated

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
API = "billing.milo.io/v1alpha1"
Manifest = dict[str, Any]


def manifest(labels: dict[str, str] | None = None, **spec: Any) -> Manifest:
    metadata: dict[str, Any] = {"name": "us"}
    if labels is not None:
        metadata["labels"] = labels
    return {"apiVersion": API, "kind": "BillingAccount", "metadata": metadata, "spec": spec}


def stored(labels: dict[str, str] | None = None, **spec: Any) -> Manifest:
    """Return an object that the server created and nobody has applied."""
    made = manifest(labels, **spec)
    made["metadata"] |= {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2024-01-01T00:00:00Z"}
    return made | {"status": {"phase": "Ready"}}


def applied(live: Manifest | None, sent: Manifest, manager: str = "kubectl", force: bool = False) -> Manifest:
    before = deepcopy((live, sent))
    result = apply(live, sent, manager, force=force, at=NOW)
    assert (live, sent) == before
    return result


def owners(result: Manifest) -> dict[tuple[str, str], Any]:
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in result["metadata"]["managedFields"]}


def test_the_first_apply_makes_the_object_and_owns_what_it_names() -> None:
    sent = manifest({"tier": "gold", "app.kubernetes.io/name": "x"}, currencyCode="USD", paymentTerms={"netDays": 30})
    result = applied(None, sent)
    assert result["spec"] == sent["spec"]
    assert result["metadata"]["managedFields"] == [
        {
            "manager": "kubectl",
            "operation": "Apply",
            "apiVersion": API,
            "time": "2024-01-15T10:30:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {"f:tier": {}, "f:app.kubernetes.io/name": {}}},
                "f:spec": {"f:currencyCode": {}, "f:paymentTerms": {"f:netDays": {}}},
            },
        }
    ]


def test_applying_the_same_again_changes_nothing_at_all() -> None:
    sent = manifest({"tier": "gold"}, currencyCode="USD", contacts=["a"])
    live = applied(None, sent)
    assert apply(live, sent, "kubectl", force=False, at=LATER) == live


def test_an_empty_field_that_is_not_shown_is_no_change_when_applied_again() -> None:
    live = applied(None, manifest(displayName="", contacts=[], currencyCode="USD"))
    del live["spec"]["displayName"], live["spec"]["contacts"]
    again = apply(live, manifest(displayName="", contacts=[], currencyCode="USD"), "kubectl", force=False, at=LATER)
    assert again["metadata"]["managedFields"] == live["metadata"]["managedFields"]


def test_a_manager_changes_its_own_field_without_conflict() -> None:
    live = applied(None, manifest(displayName="One", currencyCode="USD"))
    result = apply(live, manifest(displayName="Two", currencyCode="USD"), "kubectl", force=False, at=LATER)
    assert result["spec"]["displayName"] == "Two"
    [entry] = result["metadata"]["managedFields"]
    assert entry["time"] == "2024-01-15T11:30:00Z"


def test_another_manager_that_would_change_the_value_is_refused_with_a_cause_per_field() -> None:
    live = applied(None, manifest({"tier": "gold"}, currencyCode="USD", displayName="One"))
    with pytest.raises(Conflict) as refusal:
        applied(live, manifest({"tier": "silver"}, currencyCode="EUR"), "terraform")
    assert refusal.value.causes == (
        Cause(".metadata.labels.tier", f'conflict with "kubectl" using {API}', "FieldManagerConflict"),
        Cause(".spec.currencyCode", f'conflict with "kubectl" using {API}', "FieldManagerConflict"),
    )
    assert refusal.value.message == (
        f'Apply failed with 2 conflicts: conflicts with "kubectl" using {API}:\n'
        "- .metadata.labels.tier\n- .spec.currencyCode"
    )


def test_force_takes_the_fields_over_and_leaves_the_others_where_they_were() -> None:
    live = applied(None, manifest(currencyCode="USD", displayName="One"))
    result = applied(live, manifest(currencyCode="EUR"), "terraform", force=True)
    assert result["spec"] == {"currencyCode": "EUR", "displayName": "One"}
    assert owners(result) == {
        ("kubectl", "Apply"): {"f:spec": {"f:displayName": {}}},
        ("terraform", "Apply"): {"f:spec": {"f:currencyCode": {}}},
    }


def test_the_same_value_is_owned_together_and_goes_with_the_last_owner() -> None:
    live = applied(None, manifest(currencyCode="USD", displayName="One"))
    shared = applied(live, manifest(displayName="One"), "terraform")
    assert owners(shared)[("terraform", "Apply")] == {"f:spec": {"f:displayName": {}}}
    one_less = applied(shared, manifest(currencyCode="USD"))
    assert one_less["spec"]["displayName"] == "One"
    none_left = applied(one_less, manifest(), "terraform")
    assert none_left["spec"] == {"currencyCode": "USD"}


def test_a_field_no_longer_applied_is_removed_with_the_objects_it_leaves_empty() -> None:
    sent = manifest({"tier": "gold", "team": "a"}, paymentTerms={"netDays": 30}, contacts=["a"])
    result = applied(applied(None, sent), manifest({"team": "a"}))
    assert result["metadata"]["labels"] == {"team": "a"}
    assert result.get("spec", {}) == {}
    assert owners(result) == {("kubectl", "Apply"): {"f:metadata": {"f:labels": {"f:team": {}}}}}


def test_fields_nobody_applied_stay() -> None:
    live = stored({"team": "a"}, currencyCode="USD")
    result = applied(live, manifest(displayName="One"))
    result = applied(result, manifest())
    assert result["spec"] == {"currencyCode": "USD"}
    assert result["metadata"]["labels"] == {"team": "a"}
    assert result["metadata"]["uid"] == "u"
    assert result["status"] == {"phase": "Ready"}


def test_what_was_there_before_the_first_apply_has_an_owner_too() -> None:
    live = stored(currencyCode="USD")
    with pytest.raises(Conflict, match="before-first-apply"):
        applied(live, manifest(currencyCode="EUR"))
    result = applied(live, manifest(currencyCode="EUR"), force=True)
    assert owners(result) == {("kubectl", "Apply"): {"f:spec": {"f:currencyCode": {}}}}


def test_lists_are_owned_and_replaced_whole() -> None:
    live = applied(None, manifest(contacts=["a", "b"]))
    with pytest.raises(Conflict) as refusal:
        applied(live, manifest(contacts=["a", "b", "c"]), "terraform")
    assert [cause.field for cause in refusal.value.causes] == [".spec.contacts"]
    assert applied(live, manifest(contacts=["c"]))["spec"]["contacts"] == ["c"]


@pytest.mark.parametrize("other", [{"a": {"b": {"c": 1}}}, {"a": "text"}, {"a": []}])
def test_a_value_of_another_shape_is_a_conflict_and_force_replaces_it(other: dict[str, Any]) -> None:
    live = applied(None, manifest(a={"b": 1}))
    with pytest.raises(Conflict):
        applied(live, manifest(**other), "terraform")
    result = applied(live, manifest(**other), "terraform", force=True)
    assert result["spec"] == other
    assert set(owners(result)) == {("terraform", "Apply")}
    # an empty object counts as absent, so there is no conflict
    assert applied(live, manifest(a={}), "terraform")["spec"] == {"a": {"b": 1}}


def test_a_null_is_a_field_that_is_not_applied_and_status_is_ignored() -> None:
    live = applied(None, manifest(currencyCode="USD", displayName="One"))
    sent = manifest(currencyCode="USD", displayName=None) | {"status": {"phase": "Closed"}}
    result = applied(live, sent)
    assert result["spec"] == {"currencyCode": "USD"}
    assert "status" not in result


def test_the_version_that_the_manifest_names_is_kept_for_the_check() -> None:
    sent = manifest(displayName="One")
    assert applied(stored(), sent)["metadata"]["resourceVersion"] == "7"
    sent["metadata"]["resourceVersion"] = "5"
    assert applied(stored(), sent)["metadata"]["resourceVersion"] == "5"


@pytest.mark.parametrize(
    "sent", [None, [], "x", {"metadata": []}, {"metadata": {"managedFields": [{}]}}, {"metadata": "us", "spec": {}}]
)
def test_what_is_no_manifest_or_brings_its_own_managed_fields_is_a_bad_request(sent: Any) -> None:
    with pytest.raises(Refused) as refusal:
        applied(stored(currencyCode="USD"), sent)
    assert refusal.value.reason == "BadRequest"


def test_an_ordinary_write_takes_over_what_it_changes_and_a_later_apply_meets_it() -> None:
    live = applied(None, manifest({"tier": "gold"}, currencyCode="USD", displayName="One"))
    new = deepcopy(live)
    new["spec"]["displayName"] = "Two"
    new["metadata"]["labels"] = {"team": "a"}
    new["metadata"]["managedFields"] = updated(live, new, "kubectl-edit", at=LATER)
    assert owners(new) == {
        ("kubectl", "Apply"): {"f:spec": {"f:currencyCode": {}}},
        ("kubectl-edit", "Update"): {"f:spec": {"f:displayName": {}}, "f:metadata": {"f:labels": {"f:team": {}}}},
    }
    with pytest.raises(Conflict, match="kubectl-edit"):
        applied(new, manifest(currencyCode="USD", displayName="One"))
    # kubectl no longer applies the label, but it is kept: another manager owns it now
    assert applied(new, manifest(currencyCode="USD"))["metadata"]["labels"] == {"team": "a"}


def test_an_ordinary_write_that_changes_nothing_owned_leaves_the_owners_as_they_are() -> None:
    live = applied(None, manifest(currencyCode="USD"))
    assert updated(live, deepcopy(live), "kubectl-edit", at=LATER) == live["metadata"]["managedFields"]
    with_status = deepcopy(live) | {"status": {"phase": "Ready"}}
    assert updated(live, with_status, "kubectl-edit", at=LATER) == live["metadata"]["managedFields"]


def test_the_number_of_managers_is_bounded() -> None:
    live = applied(None, manifest(currencyCode="USD"))
    for number in range(MANAGERS_LIMIT - 1):
        live = applied(live, manifest(currencyCode="USD"), f"manager-{number}")
    with pytest.raises(Invalid, match=str(MANAGERS_LIMIT)) as refusal:
        applied(live, manifest(currencyCode="USD"), "one-too-many")
    assert [cause.field for cause in refusal.value.causes] == ["metadata.managedFields"]
    live = applied(None, manifest(currencyCode="USD"))
    for number in range(MANAGERS_LIMIT + 5):
        new = deepcopy(live)
        new["metadata"]["labels"] = {**live["metadata"].get("labels", {}), f"label-{number}": "x"}
        new["metadata"]["managedFields"] = updated(live, new, f"updater-{number}", at=LATER)
        live = new
    assert len(owners(live)) <= MANAGERS_LIMIT
    ancient = owners(live)[("ancient-changes", "Update")]["f:metadata"]["f:labels"]
    assert "f:label-0" in ancient
    assert owners(live)[("kubectl", "Apply")] == {"f:spec": {"f:currencyCode": {}}}


def test_values_are_compared_as_they_are_stored() -> None:
    def trimmed(sent: Manifest) -> Manifest:
        return {**sent, "spec": {key: value.strip() for key, value in sent.get("spec", {}).items()}}

    live = trimmed(apply(None, manifest(displayName="One "), "kubectl", force=False, at=NOW, stored=trimmed))
    again = apply(live, manifest(displayName="One "), "kubectl", force=False, at=LATER, stored=trimmed)
    assert again["metadata"] == live["metadata"]
    other = apply(live, manifest(displayName=" One"), "terraform", force=False, at=LATER, stored=trimmed)
    assert set(owners(other)) == {("kubectl", "Apply"), ("terraform", "Apply")}


def with_lists(finalizers: list[str] | None = None, owned_by: list[str] | None = None) -> Manifest:
    sent = manifest()
    if finalizers is not None:
        sent["metadata"]["finalizers"] = finalizers
    if owned_by is not None:
        sent["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": f"name-of-{uid}", "uid": uid} for uid in owned_by
        ]
    return sent


def test_each_finalizer_and_each_owner_is_a_field_of_its_own() -> None:
    live = applied(None, with_lists(["a.example/x"], ["1"]))
    both = applied(live, with_lists(["b.example/y"], ["2"]), "terraform")
    assert both["metadata"]["finalizers"] == ["a.example/x", "b.example/y"]
    assert [each["uid"] for each in both["metadata"]["ownerReferences"]] == ["1", "2"]
    assert owners(both)[("terraform", "Apply")] == {
        "f:metadata": {
            "f:finalizers": {'v:"b.example/y"': {}},
            "f:ownerReferences": {'k:{"uid":"2"}': {}},
        }
    }
    left = applied(both, with_lists([], []))
    assert left["metadata"]["finalizers"] == ["b.example/y"]
    assert [each["uid"] for each in left["metadata"]["ownerReferences"]] == ["2"]


def test_a_finalizer_that_both_apply_goes_with_the_last_of_them() -> None:
    both = applied(applied(None, with_lists(["a.example/x"])), with_lists(["a.example/x"]), "terraform")
    one = applied(both, with_lists())
    assert one["metadata"]["finalizers"] == ["a.example/x"]
    assert "finalizers" not in applied(one, with_lists(), "terraform")["metadata"]


def test_an_owner_that_another_describes_otherwise_is_a_conflict_that_names_it() -> None:
    live = applied(None, with_lists(owned_by=["1"]))
    other = with_lists(owned_by=["1"])
    other["metadata"]["ownerReferences"][0]["controller"] = True
    with pytest.raises(Conflict) as refusal:
        applied(live, other, "terraform")
    assert [cause.field for cause in refusal.value.causes] == ['.metadata.ownerReferences[uid="1"]']
    taken = applied(live, other, "terraform", force=True)
    assert taken["metadata"]["ownerReferences"] == other["metadata"]["ownerReferences"]


def applied_client_side(*, before: Manifest | None = None, last: Manifest, **live_spec: Any) -> Manifest:
    """Return an object managed by kubectl's client-side apply, last applied as `last`."""
    live = stored(**live_spec)
    live["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(last)}
    live["metadata"]["managedFields"] = updated(before, live, "kubectl-client-side-apply", at=NOW)
    return live


def test_kubectl_that_goes_over_to_server_side_apply_is_no_conflict_with_itself() -> None:
    last = manifest(currencyCode="USD", displayName="One")
    live = applied_client_side(last=last, currencyCode="USD", displayName="One")
    new = manifest(currencyCode="USD", displayName="Two")
    result = applied(live, new)
    assert result["spec"]["displayName"] == "Two"
    # client-side apply finds the manifest applied last
    assert json.loads(result["metadata"]["annotations"][LAST_APPLIED]) == new
    # for other managers, fields written by kubectl are conflicts
    with pytest.raises(Conflict, match="kubectl-client-side-apply"):
        applied(live, new, "argocd")


def test_what_somebody_changed_after_kubectl_applied_it_is_a_conflict_all_the_same() -> None:
    before = applied_client_side(last=manifest(currencyCode="USD", displayName="One"), currencyCode="USD")
    before["spec"]["displayName"] = "One"
    live = deepcopy(before)
    live["spec"]["displayName"] = "Agreed otherwise"
    live["metadata"]["managedFields"] = updated(before, live, "approvalrequest/terms", at=LATER)
    with pytest.raises(Conflict) as refusal:
        applied(live, manifest(currencyCode="EUR", displayName="One"))
    assert [cause.field for cause in refusal.value.causes] == [".spec.displayName"]


def test_the_annotation_of_client_side_apply_stays_where_it_says_the_same() -> None:
    last = manifest(currencyCode="USD")
    last["metadata"]["annotations"] = {}
    live = applied_client_side(last=last, currencyCode="USD")
    result = applied(live, manifest(currencyCode="USD"))
    assert result["metadata"]["annotations"] == live["metadata"]["annotations"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"spec": 5}', '{"metadata": []}'])
def test_an_annotation_that_is_no_manifest_allows_nothing(text: str) -> None:
    live = applied_client_side(last=manifest(), currencyCode="USD")
    live["metadata"]["annotations"][LAST_APPLIED] = text
    with pytest.raises(Conflict):
        applied(live, manifest(currencyCode="EUR"))


values = st.recursive(
    st.sampled_from([1, "x", "y", [], [1], {}]),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)
specs = st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3)
steps = st.lists(
    st.tuples(st.sampled_from(["kubectl", "terraform", "edit"]), specs, st.booleans()), min_size=1, max_size=6
)


def holds(value: Any, wanted: Any) -> bool:
    """Return whether `value` contains all of `wanted`."""
    if not isinstance(wanted, dict) or not wanted:
        return bool(value == wanted or not wanted)
    return isinstance(value, dict) and all(holds(value.get(key), item) for key, item in wanted.items())


@given(steps)
def test_whatever_came_before_an_apply_ends_with_what_was_applied_and_repeating_it_changes_nothing(
    history: list[tuple[str, dict[str, Any], bool]],
) -> None:
    live: Manifest | None = None
    for manager, spec, force in history:
        sent = manifest(**spec)
        if manager == "edit" and live is not None:
            new = deepcopy(live) | {"spec": spec}
            new["metadata"]["managedFields"] = updated(live, new, manager, at=NOW)
            live = new
            continue
        try:
            result = applied(live, sent, manager, force)
        except Conflict:
            assert not force
            continue
        assert holds(result.get("spec", {}), spec)
        assert without_empty(apply(result, sent, manager, force=False, at=LATER)) == without_empty(result)
        live = result


@given(steps)
def test_one_manager_alone_gets_exactly_what_it_applied_last(history: list[tuple[str, dict[str, Any], bool]]) -> None:
    live: Manifest | None = None
    for _manager, spec, _force in history:
        live = applied(live, manifest(**spec))
        assert without_empty(live.get("spec", {})) == without_empty(spec)


def without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: kept for key, item in value.items() if (kept := without_empty(item)) not in ({}, [], "")}
