"""Patches whose result nests or grows beyond what a body may hold: refused, and nothing is changed."""

import json
from itertools import accumulate
from typing import Any

import pytest

from milo.kube.object_views import APPLY_PATCH, PATCHES
from milo.kube.wire.decoding import MAX_DEPTH
from tests.api.client import ACCOUNTS, JSON_PATCH, Api, nothing_changes
from tests.support import make

pytestmark = pytest.mark.django_db
US = f"{ACCOUNTS}/us"
MANY = 600


def nested(depth: int, inner: Any = "x") -> Any:
    value = inner
    for _level in range(depth):
        value = {"a": value}
    return value


def pointers(root: str, count: int) -> list[str]:
    return list(accumulate([root, *["/a"] * count]))


DEEP: dict[str, list[Any]] = {
    "add after add": [{"op": "add", "path": path, "value": {}} for path in pointers("/spec/a", MANY)],
    "lists": [{"op": "add", "path": path, "value": []} for path in accumulate(["/spec/a", *["/-"] * MANY])],
    "deep values into deep places": [
        {"op": "add", "path": "/spec/a", "value": nested(MAX_DEPTH - 4, {})},
        {"op": "add", "path": pointers("/spec/a", MAX_DEPTH - 4)[-1] + "/b", "value": nested(MAX_DEPTH - 4)},
    ],
    "copies into themselves": [{"op": "copy", "from": "/spec", "path": "/spec/contacts"}] * MANY,
    "deep copies": [
        {"op": "add", "path": "/spec/a", "value": nested(MAX_DEPTH - 4, {})},
        *[{"op": "copy", "from": "/spec/a", "path": pointers("/spec/a", MAX_DEPTH - 5)[-1]} for _again in range(MANY)],
    ],
    "moves": [
        step
        for turn in range(MANY // 2 - 1)
        for step in (
            {"op": "add", "path": f"/spec/{turn + 1}", "value": nested(MAX_DEPTH - 5, {})},
            {"op": "move", "from": f"/spec/{turn}", "path": pointers(f"/spec/{turn + 1}", MAX_DEPTH - 5)[-1]},
        )
    ],
}
DEEP["moves"].insert(0, {"op": "add", "path": "/spec/0", "value": {}})


@pytest.fixture
def admin() -> Api:
    organization = make.an_organization("acme-corp")
    make.a_ready_account(organization, "us")
    return Api.of(make.a_person("acme-admin", roles={organization: "billing-admin"}))


@pytest.mark.parametrize("operations", DEEP.values(), ids=DEEP)
def test_operations_that_nest_deeper_than_a_body_may_are_refused(admin: Api, operations: list[Any]) -> None:
    with nothing_changes():
        admin.patch(US, operations, JSON_PATCH).refused(422, "Invalid")


@pytest.mark.parametrize("content_type", [*PATCHES, APPLY_PATCH])
@pytest.mark.parametrize("depth", [MAX_DEPTH - 2, MAX_DEPTH, MANY])
def test_no_patch_of_any_type_makes_an_object_deeper_than_a_body_may_be(
    admin: Api, content_type: str, depth: int
) -> None:
    deep = {"apiVersion": "billing.milo.io/v1alpha1", "kind": "BillingAccount", "spec": {"contacts": nested(depth)}}
    body = [{"op": "add", "path": "/spec/contacts", "value": nested(depth)}] if content_type == JSON_PATCH else deep
    with nothing_changes():
        answer = admin.patch(f"{US}?fieldManager=tests", json.dumps(body), content_type)
    assert answer.code in (400, 422), answer.raw
    assert answer.json["kind"] == "Status"
