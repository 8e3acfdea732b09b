from collections.abc import Iterator
from typing import Any

import pytest

from projects.models import Organization
from tests.api.client import Api, nothing_changes
from tests.support import make

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CAN_I = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
VERBS = ("get", "list", "create", "update")
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


def can(api: Api, verb: str, resource: str, namespace: str = "", **attributes: str) -> bool:
    """`kubectl auth can-i VERB RESOURCE -n NAMESPACE`."""
    plural, _slash, subresource = resource.partition("/")
    group = "resources.milo.io" if plural in ("projects", "organizations") else "billing.milo.io"
    asked = {"verb": verb, "resource": plural, "subresource": subresource, "group": group, "namespace": namespace}
    body = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": asked | attributes},
    }
    with nothing_changes():
        answer = api.post(CAN_I, body).done(201)
    assert answer["kind"] == "SelfSubjectAccessReview"
    allowed: bool = answer["status"]["allowed"]
    return allowed


def test_who_am_i_names_the_person_and_every_role(organization: Organization, other: Organization) -> None:
    person = make.a_person("jo", groups=("auditor",), roles={organization: "billing-admin", other: "billing-viewer"})
    body = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
    answer = Api.of(person).post(WHO, body).done(201)
    assert answer["status"]["userInfo"] == {
        "username": "jo",
        "groups": ["system:authenticated", "auditor", "acme-corp:billing-admin", "other-corp:billing-viewer"],
    }


def test_can_i_answers_for_the_organization_named(admin: Api, viewer: Api, organization: Organization) -> None:
    assert can(admin, "create", "billingaccounts", "acme-corp")
    assert not can(viewer, "create", "billingaccounts", "acme-corp")
    assert can(viewer, "list", "billingaccounts", "acme-corp")
    assert can(viewer, "get", "billingaccounts/status", "acme-corp")
    assert not can(viewer, "update", "billingaccounts/status", "acme-corp")
    assert not can(admin, "delete", "billingaccounts", "acme-corp")


def test_can_i_answers_without_a_namespace_for_any_of_mine(admin: Api) -> None:
    assert can(admin, "list", "billingaccounts")
    assert not can(admin, "create", "organizations")


def test_cluster_scoped_kinds_ignore_the_namespace_of_the_kubeconfig(admin: Api, viewer: Api) -> None:
    assert can(admin, "create", "projects", "default")
    assert can(admin, "create", "projects/archive", "acme-corp")
    assert can(admin, "get", "projects/billinghistory", "acme-corp")
    assert not can(viewer, "create", "projects/archive", "acme-corp")


def test_an_act_is_created_and_nothing_else(admin: Api) -> None:
    for verb in ("get", "update", "patch", "delete"):
        assert not can(admin, verb, "projects/archive", "acme-corp")
    assert not can(admin, "get", "projects/nonsense", "acme-corp")
    assert not can(admin, "create", "projects/nonsense", "acme-corp")


def test_a_preview_takes_the_right_to_what_it_shows(admin: Api, operator: Api, organization: Organization) -> None:
    assert can(operator, "create", "billingaccounts/suspendpreview", "acme-corp")
    assert not can(admin, "create", "billingaccounts/suspendpreview", "acme-corp")
    assert can(admin, "get", "billingaccounts/suspensions", "acme-corp")


def test_a_foreign_namespace_answers_as_a_missing_one(admin: Api, operator: Api, other: Organization) -> None:
    make.a_project(other, "theirs")
    for verb in ("get", "list", "create", "update"):
        for resource in ("billingaccounts", "billingaccountbindings"):
            assert not can(admin, verb, resource, "other-corp")
            assert not can(admin, verb, resource, "nowhere")
            assert can(operator, verb, resource, "other-corp")
    for name in ("theirs", "nothing"):
        assert not can(admin, "update", "projects", name=name)


def test_who_may_report_usage_is_told_so(admin: Api) -> None:
    reporter, scoped = (Api.of(make.a_person(groups=(role,))) for role in ("usage-reporter", "charge-reporter"))
    for resource in ("events", "usageevents"):
        for namespace in ("", "acme-corp", "nowhere"):
            assert can(reporter, "create", resource, namespace, group="usage.milo.io")
            assert not can(scoped, "create", resource, namespace, group="usage.milo.io")
            assert not can(admin, "create", resource, namespace, group="usage.milo.io")
        for verb in ("get", "list", "watch", "update", "patch", "delete", "*"):
            assert not can(reporter, verb, resource, group="usage.milo.io")
        assert not can(reporter, "create", f"{resource}/status", group="usage.milo.io")
    # those of the core group are others
    assert not can(reporter, "create", "events", group="")
    assert can(reporter, "create", "usageevents", group="*")


def test_one_object_is_judged_by_its_own_organization(
    admin: Api, organization: Organization, other: Organization
) -> None:
    make.a_person("jo", roles={organization: "billing-viewer", other: "billing-admin"})
    both = Api.of(make.a_person(roles={organization: "billing-viewer", other: "billing-admin"}))
    make.a_project(organization, "ours")
    make.a_project(other, "theirs")
    assert can(both, "update", "projects", name="theirs")
    assert not can(both, "update", "projects", name="ours")
    assert can(both, "update", "organizations", name="other-corp")
    assert not can(both, "update", "organizations", name="acme-corp")


@pytest.mark.parametrize(
    "attributes",
    [
        {"resource": "wallets"}, {"verb": "*"}, {"resource": "*"}, {"group": "example.com"}, {"verb": ""},
        {"resource": ["x"]}, {"namespace": 7}, {"namespace": "a\x00"}, {"verb": None}, {"name": 3},
    ],
)  # fmt: skip
def test_what_is_not_understood_is_not_allowed(admin: Api, attributes: dict[str, Any]) -> None:
    asked = {"verb": "create", "resource": "billingaccounts", "group": "billing.milo.io", "namespace": "acme-corp"}
    body = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": asked | attributes},
    }
    answer = admin.post(CAN_I, body)
    assert answer.code == 400 or answer.done(201)["status"]["allowed"] is False


def test_namespaces_and_events_are_judged_as_their_organization(
    admin: Api, viewer: Api, organization: Organization
) -> None:
    assert can(admin, "get", "namespaces", "acme-corp", group="")
    assert can(admin, "list", "events", "acme-corp", group="")
    assert not can(admin, "create", "namespaces", group="")
    for api in (admin, viewer):
        answer = api.patch("/api/v1/namespaces/acme-corp", {"metadata": {"labels": {"team": "blue"}}})
        assert can(api, "patch", "namespaces", "acme-corp", group="") is (answer.code == 200) is (api is admin)


def rules(api: Api, namespace: str) -> dict[str, set[str]]:
    """`kubectl auth can-i --list`: verbs by resource."""
    body = {
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"namespace": namespace},
    }
    status = api.post(RULES, body).done(201)["status"]
    assert status["incomplete"] is False
    found: dict[str, set[str]] = {}
    for rule in status["resourceRules"]:
        for resource in rule["resources"]:
            found.setdefault(resource, set()).update(rule["verbs"])
    return found


def reach(api: Api, verb: str, path: str) -> bool:
    """`kubectl auth can-i VERB /PATH`."""
    body = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"nonResourceAttributes": {"verb": verb, "path": path}},
    }
    allowed: bool = api.post(CAN_I, body).done(201)["status"]["allowed"]
    return allowed


def test_addresses_that_are_no_resources_are_judged_as_the_list_says(organization: Organization) -> None:
    nobody = Api.of(make.a_person())
    spec = {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"namespace": "x"}}
    [rule] = nobody.post(RULES, spec).done(201)["status"]["nonResourceRules"]
    assert rule["verbs"] == ["get"]
    for url in rule["nonResourceURLs"]:
        for path in {url.rstrip("*"), url.replace("*", "v1")}:
            assert reach(nobody, "get", path), path
            assert not any(reach(nobody, verb, path) for verb in ("post", "put", "delete", "*", "", "GET"))
    for path in ("", "/", "*", "/apix", "/admin", "/admin/", "/metrics", "/openapi.json", "api"):
        assert not reach(nobody, "get", path), path


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/apis", "/apis/billing.milo.io", "/openapi/v3", "/version"])
def test_what_may_be_reached_is_there_for_whoever_is_known(path: str, db: None) -> None:
    nobody = Api.of(make.a_person())
    assert reach(nobody, "get", path)
    assert nobody.get(path).code == 200


@pytest.mark.parametrize("attributes", [{}, {"resourceAttributes": {}, "nonResourceAttributes": {}}])
def test_a_question_about_nothing_or_two_things_is_not_allowed(admin: Api, attributes: dict[str, Any]) -> None:
    body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": attributes}
    status = admin.post(CAN_I, body).done(201)["status"]
    assert status["allowed"] is False
    assert "either resourceAttributes or nonResourceAttributes" in status["reason"]


def offered(api: Api) -> Iterator[tuple[str, str]]:
    """Group and name of every resource and subresource that discovery names."""
    groups = [group["preferredVersion"]["groupVersion"] for group in api.get("/apis").done()["groups"]]
    for place in ("/api/v1", *(f"/apis/{version}" for version in groups)):
        for entry in api.get(place).done()["resources"]:
            yield place.removeprefix("/apis/").removeprefix("/api/v1").partition("/")[0], entry["name"]


@pytest.mark.once  # both answers come from the same table of access, in Python
@pytest.mark.parametrize(
    "role",
    [
        *("billing-admin", "billing-user", "billing-viewer", "nobody"),
        *("finance-operator", "finance-approver", "auditor", "charge-reporter", "usage-reporter"),
    ],
)
def test_can_i_and_its_list_agree_on_every_resource_that_discovery_names(role: str, organization: Organization) -> None:
    within = role.startswith("billing-")
    api = Api.of(
        make.a_person(
            groups=() if within or role == "nobody" else (role,), roles={organization: role} if within else {}
        )
    )
    spec = {
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"namespace": "acme-corp"},
    }
    listed = {
        (verb, group, resource)
        for rule in api.post(RULES, spec).done(201)["status"]["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    resources = list(offered(api))
    # of what is not listed one verb of each is asked: all four of 64 resources took half a minute
    unlisted = {
        next((verb, *of) for verb in VERBS if (verb, *of) not in listed)
        for of in resources
        if any((verb, *of) not in listed for verb in VERBS)
    }
    asked = {found for found in listed if found[0] in VERBS} | unlisted
    allowed = {
        (verb, group, resource) for verb, group, resource in asked if can(api, verb, resource, "acme-corp", group=group)
    }
    assert {found for found in listed if found[0] in VERBS} == allowed
    assert {(group, resource) for _verb, group, resource in listed} <= set(resources)
    assert ("create", "authorization.k8s.io", "selfsubjectaccessreviews") in allowed


def test_the_list_of_a_usage_reporter_holds_the_intake_beside_the_events_of_the_core_group(
    organization: Organization,
) -> None:
    reporter = Api.of(make.a_person(groups=("usage-reporter",), roles={organization: "billing-viewer"}))
    spec = {"namespace": "acme-corp"}
    body = {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "spec": spec}
    found = reporter.post(RULES, body).done(201)["status"]["resourceRules"]
    assert {rule["apiGroups"][0]: rule["verbs"] for rule in found if "events" in rule["resources"]} == {
        "": ["get", "list", "watch"],
        "usage.milo.io": ["create"],
    }


def test_the_list_for_a_foreign_namespace_is_that_for_a_missing_one(admin: Api, other: Organization) -> None:
    assert rules(admin, "other-corp") == rules(admin, "nowhere")
    assert "billingaccounts" not in rules(admin, "other-corp")


@pytest.mark.parametrize("path", [WHO, CAN_I, RULES])
@pytest.mark.parametrize("body", [[], {"kind": "Pod", "apiVersion": "v1"}, "x", None])
def test_another_body_is_refused(admin: Api, path: str, body: Any) -> None:
    admin.post(path, b"null" if body is None else body).refused(400, "BadRequest")


@pytest.mark.parametrize("path", [WHO, CAN_I, RULES])
def test_strangers_are_not_answered(db: None, path: str) -> None:
    Api().post(path, {}).refused(401, "Unauthorized")


@pytest.mark.parametrize(
    ("metadata", "field"), [({"name": ""}, "metadata.name"), ({"labels": {"tier": "!"}}, "metadata.labels")]
)
@pytest.mark.parametrize("path", [WHO, CAN_I, RULES])
def test_nonsense_in_the_metadata_of_a_question_is_refused_though_nothing_keeps_it(
    admin: Api, path: str, metadata: dict[str, Any], field: str
) -> None:
    kinds = {WHO: "SelfSubjectReview", CAN_I: "SelfSubjectAccessReview", RULES: "SelfSubjectRulesReview"}
    body = {"kind": kinds[path], "apiVersion": path.split("/", 2)[2].rpartition("/")[0], "metadata": metadata}
    answer = admin.post(path, body)
    answer.refused(400, "BadRequest")
    assert set(answer.causes()) == {field}


def test_anybody_may_read_that_there_are_no_definitions(admin: Api) -> None:
    for verb, allowed in (("get", True), ("list", True), ("watch", True), ("create", False)):
        asked = {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions", "verb": verb}
        sent = {"spec": {"resourceAttributes": asked}}
        assert admin.post(CAN_I, sent).done(201)["status"]["allowed"] is allowed
    rules = admin.post(RULES, {"spec": {"namespace": "acme-corp"}}).done(201)["status"]["resourceRules"]
    assert {
        "verbs": ["get", "list", "watch"],
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
    } in rules
