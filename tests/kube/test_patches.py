from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.errors import Invalid, Refused
from milo.kube.store.patches import OPERATIONS_LIMIT, json_patch, merge_patch, strategic_merge_patch
from milo.kube.wire.status import UnsupportedMediaType

MANIFEST: dict[str, Any] = {
    "metadata": {"name": "us", "labels": {"tier": "gold"}},
    "spec": {"currencyCode": "USD", "contacts": ["a@acme.example", "b@acme.example"]},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0", "-"]), inner, max_size=3)
    ),
    max_leaves=8,
)
pointers = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "01", "-1", "~", "~1"]), max_size=3).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "append"])},
    optional={
        "path": pointers | st.just("a") | st.integers(),
        "from": pointers | st.none(),
        "value": json_values,
    },
)


# RFC 7386, appendix A
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_rfc_7386_shows(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@given(target=json_values, patch=json_values)
def test_a_merge_patch_leaves_target_and_patch_as_they_were(target: Any, patch: Any) -> None:
    before = deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


def test_a_strategic_merge_patch_replaces_lists_whole() -> None:
    patched = strategic_merge_patch(MANIFEST, {"spec": {"contacts": ["c@acme.example"]}})
    assert patched == {**MANIFEST, "spec": {"currencyCode": "USD", "contacts": ["c@acme.example"]}}


@pytest.mark.parametrize(
    "patch",
    [
        {"$patch": "replace"},
        {"spec": {"$setElementOrder/contacts": []}},
        {"spec": {"contacts": [{"$patch": "delete", "name": "a"}]}},
    ],
)
def test_a_directive_of_a_strategic_merge_patch_is_refused(patch: Any) -> None:
    with pytest.raises(UnsupportedMediaType, match=r"\$"):
        strategic_merge_patch(MANIFEST, patch)


def test_a_json_patch_applies_its_operations_in_order() -> None:
    before = deepcopy(MANIFEST)
    patched = json_patch(
        MANIFEST,
        [
            {"op": "test", "path": "/spec/currencyCode", "value": "USD"},
            {"op": "replace", "path": "/spec/currencyCode", "value": "EUR"},
            {"op": "add", "path": "/spec/contacts/-", "value": "c@acme.example"},
            {"op": "remove", "path": "/spec/contacts/0"},
            {"op": "add", "path": "/metadata/labels/example.com~1a", "value": "x"},
            {"op": "move", "from": "/metadata/labels/tier", "path": "/metadata/labels/level"},
            {"op": "copy", "from": "/metadata/labels/level", "path": "/spec/displayName"},
        ],
    )
    assert patched == {
        "metadata": {"name": "us", "labels": {"example.com/a": "x", "level": "gold"}},
        "spec": {"currencyCode": "EUR", "contacts": ["b@acme.example", "c@acme.example"], "displayName": "gold"},
    }
    assert before == MANIFEST


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/currencyCode", "value": "EUR"},
        {"op": "test", "path": "/spec/currencyCode/0", "value": "U"},
        {"op": "remove", "path": "/spec/missing"},
        {"op": "replace", "path": "/spec/missing", "value": 1},
        {"op": "add", "path": "/missing/field", "value": 1},
        {"op": "add", "path": "/spec/contacts/9", "value": 1},
        {"op": "move", "from": "/missing", "path": "/spec/a"},
        {"op": "move", "from": "/spec", "path": "/spec/a"},
        {"op": "copy", "from": "/missing", "path": "/spec/a"},
        {"op": "remove", "path": ""},
    ],
)
def test_an_operation_that_cannot_be_done_is_invalid_and_changes_nothing(operation: dict[str, Any]) -> None:
    before = deepcopy(MANIFEST)
    with pytest.raises(Invalid, match=operation["op"]) as refusal:
        json_patch(MANIFEST, [{"op": "add", "path": "/spec/x", "value": 1}, operation])
    assert before == MANIFEST
    [cause] = refusal.value.causes
    assert cause.field == (operation["path"].lstrip("/").replace("/", ".") or "patch")
    assert f"{operation['op']} {operation['path']} failed" in cause.message


def test_the_field_of_a_refused_operation_is_named_as_it_is_written_in_a_manifest() -> None:
    with pytest.raises(Invalid) as refusal:
        json_patch(MANIFEST, [{"op": "test", "path": "/metadata/labels/example.com~1a~0b", "value": "x"}])
    assert refusal.value.causes[0].field == "metadata.labels.example.com/a~b"


@pytest.mark.parametrize(
    "patch",
    [
        None, {}, "x", 1, ["x"], [1], [{}], [{"op": "add"}], [{"op": "increase", "path": "/a"}],
        [{"op": ["add"], "path": ""}],
        [{"op": "add", "path": "spec", "value": 1}], [{"op": "add", "path": 1, "value": 1}],
        [{"op": "add", "path": "/a~2"}],
        [{"op": "add", "path": "/spec/a"}], [{"op": "move", "path": "/spec/a"}],
        [{"op": "copy", "path": "/a", "from": 1}],
        [{"op": "test", "path": "/spec", "value": 1}] * (OPERATIONS_LIMIT + 1),
    ],
)  # fmt: skip
def test_a_malformed_json_patch_is_a_bad_request(patch: Any) -> None:
    with pytest.raises(Refused) as refusal:
        json_patch(MANIFEST, patch)
    assert refusal.value.reason == "BadRequest"


@pytest.mark.parametrize("into", ["/spec/{}", "/spec/again", "/spec/contacts/-"])
def test_copies_cannot_fill_the_memory(into: str) -> None:
    with pytest.raises(Invalid, match="too large"):
        json_patch(MANIFEST, [{"op": "copy", "from": "/spec", "path": into.format(n)} for n in range(OPERATIONS_LIMIT)])


@given(target=json_values, patch=st.lists(operations, max_size=4))
def test_whatever_is_sent_a_json_patch_is_applied_or_refused(target: Any, patch: Any) -> None:
    before = deepcopy((target, patch))
    with suppress(Refused):
        json_patch(target, patch)
    assert (target, patch) == before
