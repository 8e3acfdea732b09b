"""What discovery says can be done, what the OpenAPI documents describe, and what the routes answer, compared."""

from typing import Any

import pytest
from django.urls import Resolver404, resolve

from tests.api.client import Api

VERBS = {"get": "GET", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
COLLECTION_VERBS = {"list": "GET", "create": "POST", "deletecollection": "DELETE"}


def groups(api: Api) -> list[str]:
    listed = [group["preferredVersion"]["groupVersion"] for group in api.get("/apis").done()["groups"]]
    # an empty list for clients that ask which kinds are custom ones; nothing to be described
    listed.remove("apiextensions.k8s.io/v1")
    return ["api/v1", *(f"apis/{name}" for name in listed)]


def addresses(root: str, entry: dict[str, Any]) -> tuple[str, str]:
    """The paths of the objects' collection and of one object or its subresource, as the documents have them."""
    plural, _slash, part = entry["name"].partition("/")
    place = f"/{root}/namespaces/{{namespace}}/{plural}" if entry["namespaced"] else f"/{root}/{plural}"
    return place, f"{place}/{{name}}" + (f"/{part}" if part else "")


def offered(entry: dict[str, Any], root: str) -> dict[str, set[str]]:
    """The methods of each path, by the verbs of a resource."""
    collection, one = addresses(root, entry)
    if "/" in entry["name"]:
        return {one: {"POST" if verb == "create" else VERBS[verb] for verb in entry["verbs"]}}
    single = {VERBS[verb] for verb in entry["verbs"] if verb in VERBS}
    whole = {COLLECTION_VERBS[verb] for verb in entry["verbs"] if verb in COLLECTION_VERBS}
    return {path: methods for path, methods in ((collection, whole), (one, single)) if methods}


def described(document: dict[str, Any], path: str) -> set[str]:
    methods = document["paths"].get(path, {})
    return {method.upper() for method in methods if method in ("get", "put", "post", "patch", "delete")}


def test_discovery_and_the_documents_say_the_same(admin: Api) -> None:
    for root in groups(admin):
        document = admin.get(f"/openapi/v3/{root}").done()
        for entry in admin.get(f"/{root}").done()["resources"]:
            for path, methods in offered(entry, root).items():
                assert described(document, path) == methods, path


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_routes_answer_what_discovery_says_and_nothing_else(
    operator: Api, organization: object, method: str
) -> None:
    for root in groups(operator):
        for entry in operator.get(f"/{root}").done()["resources"]:
            for path, methods in offered(entry, root).items():
                address = path.format(namespace="acme-corp", name="acme-corp")
                try:
                    resolve(address)
                except Resolver404:
                    pytest.fail(f"{address} is no address")
                # what is missing is not found, or is no body, but the method is known
                code = operator.call(method, address, {}).code
                if method in methods:
                    assert code != 405, (method, address)
                else:
                    assert code in (404, 405), (method, address)


def test_each_kind_that_can_be_patched_is_validated_by_the_server(admin: Api) -> None:
    """kubectl validates by the PATCH operation of a kind that lists the parameter fieldValidation."""
    for root in groups(admin):
        document = admin.get(f"/openapi/v3/{root}").done()
        patches = {
            operation["x-kubernetes-group-version-kind"]["kind"]: {each.get("name") for each in operation["parameters"]}
            for methods in document["paths"].values()
            if (operation := methods.get("patch"))
        }
        for entry in admin.get(f"/{root}").done()["resources"]:
            if "patch" in entry["verbs"]:
                assert "fieldValidation" in patches[entry["kind"]], entry["name"]
