"""Kinds of Kubernetes itself may leave out apiVersion and kind: the address says them."""

from typing import Any

import pytest

from projects.models import Organization
from tests.api.access_matrix import DELEGATOR
from tests.api.client import ACCOUNTS, ORGANIZATIONS, PROJECTS, Api, nothing_changes
from tests.api.examples import a_project, an_account, an_organization
from tests.support import make

pytestmark = pytest.mark.once

ROOT = "/apis/authorization.k8s.io/v1"
CORE: dict[str, dict[str, Any]] = {
    "/api/v1/namespaces": {"metadata": {"name": "new"}},
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": {},
    "/apis/authentication.k8s.io/v1/tokenreviews": {"spec": {"token": "x"}},
    f"{ROOT}/selfsubjectaccessreviews": {"spec": {"resourceAttributes": {"verb": "get", "resource": "projects"}}},
    f"{ROOT}/selfsubjectrulesreviews": {"spec": {"namespace": "acme-corp"}},
}
KINDS = {
    "/api/v1/namespaces": ("v1", "Namespace"),
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": ("authentication.k8s.io/v1", "SelfSubjectReview"),
    "/apis/authentication.k8s.io/v1/tokenreviews": ("authentication.k8s.io/v1", "TokenReview"),
    f"{ROOT}/selfsubjectaccessreviews": ("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
    f"{ROOT}/selfsubjectrulesreviews": ("authorization.k8s.io/v1", "SelfSubjectRulesReview"),
}


@pytest.fixture
def api(organization: Organization) -> Api:
    return Api.of(make.a_person("operator", groups=("finance-operator", DELEGATOR)))


@pytest.mark.parametrize("path", CORE)
@pytest.mark.parametrize("absent", [{}, {"kind": None}, {"apiVersion": ""}, {"kind": "", "apiVersion": None}])
def test_the_answer_has_what_was_left_out(api: Api, path: str, absent: dict[str, Any]) -> None:
    answer = api.post(f"{path}?dryRun=All", {**CORE[path], **absent}).done(201)
    assert (answer["apiVersion"], answer["kind"]) == KINDS[path]


@pytest.mark.parametrize("path", CORE)
@pytest.mark.parametrize(
    "wrong", [{"kind": "Pod"}, {"apiVersion": "v2"}, {"kind": 0}, {"kind": False}, {"apiVersion": []}, {"kind": {}}]
)
def test_another_kind_is_refused(api: Api, path: str, wrong: dict[str, Any]) -> None:
    with nothing_changes():
        api.post(path, {**CORE[path], **wrong}).refused(400, "BadRequest")


def test_a_kind_of_this_api_must_name_itself(api: Api) -> None:
    with nothing_changes():
        for path, manifest in (
            (ORGANIZATIONS, an_organization("new")),
            (PROJECTS, a_project()),
            (ACCOUNTS, an_account()),
        ):
            for key in ("apiVersion", "kind"):
                refused = api.post(path, {name: value for name, value in manifest.items() if name != key})
                refused.refused(400, "BadRequest")
                assert key in refused.causes()
