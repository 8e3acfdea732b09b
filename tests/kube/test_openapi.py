"""The OpenAPI documents, as kubectl, generated clients and people use them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from billing.api.usage_files import PARQUET
from milo.kube.kinds import Kind, all_kinds
from milo.kube.openapi.documents import documents
from milo.kube.store import objects
from milo.urls import urlpatterns
from projects.models import Organization
from tests.api.client import Api
from tests.support import make

PLACES = [
    "api",
    "api/v1",
    "apis",
    "apis/authentication.k8s.io/v1",
    "apis/authorization.k8s.io/v1",
    "apis/billing.milo.io/v1alpha1",
    "apis/resources.milo.io/v1alpha1",
    "apis/usage.milo.io/v1alpha1",
    "version",
]
BODY_TYPES = (
    "application/json", "application/merge-patch+json", "application/cloudevents-batch+json", "text/csv", PARQUET,
)  # fmt: skip
METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture
def index(db: None) -> dict[str, Any]:
    found: dict[str, Any] = Api().get("/openapi/v3").done()["paths"]
    return found


@pytest.fixture
def document(db: None) -> dict[str, Any]:
    """Return the document of the whole API."""
    return Api().get("/openapi/v3/all").done()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def object_path(kind: Kind) -> str:
    within = "/namespaces/{namespace}" if kind.namespaced else ""
    return f"/apis/{kind.group}/{kind.version}{within}/{kind.plural}/{{name}}"


def test_anybody_may_read_the_index_of_every_group_and_version(index: dict[str, Any]) -> None:
    assert sorted(index) == PLACES
    for place, entry in index.items():
        assert Api().get(entry["serverRelativeURL"]).done()["openapi"] == "3.0.3"
        assert entry["serverRelativeURL"].startswith(f"/openapi/v3/{place}?hash=")


def test_a_document_is_kept_for_ever_under_its_hash_and_asked_for_again_without(index: dict[str, Any]) -> None:
    url = index["api/v1"]["serverRelativeURL"]
    hashed, stale = Api().get(url), Api().get(url + "0")
    assert hashed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert stale.headers["Cache-Control"] == "no-cache"
    assert stale.json == hashed.json
    again = Api().get("/openapi/v3/api/v1", If_None_Match=hashed.headers["ETag"])
    assert (again.code, again.raw) == (304, b"")
    assert Api().get("/openapi/v3/api/v1", If_None_Match='"other"').code == 200


def test_a_group_that_there_is_not_has_no_document(db: None) -> None:
    Api().get("/openapi/v3/apis/nothing.example/v1").refused(404, "NotFound")


def test_a_client_that_accepts_neither_json_nor_yaml_is_told_so(db: None) -> None:
    protobuf = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"
    Api().get("/openapi/v3/api/v1", Accept=protobuf).refused(406, "NotAcceptable")
    assert Api().get("/openapi/v3/api/v1", Accept="application/yaml").raw.startswith(b"openapi: 3.0.3")


@pytest.mark.parametrize("place", [*PLACES, "all"])
def test_every_document_is_valid_and_whole(place: str, db: None) -> None:
    document = Api().get(f"/openapi/v3/{place}").done()
    validate_schema(document)  # type: ignore[no-untyped-call]
    named = set(re.findall(r'"#/components/([^"]+)"', str(document).replace("'", '"')))
    assert named
    for reference in named:
        section, name = reference.split("/")
        assert name in document["components"][section], reference


def test_drf_spectacular_has_nothing_to_complain_of() -> None:
    documents.cache_clear()
    documents()
    assert not GENERATOR_STATS


def test_every_route_is_described_with_all_that_it_does_not_always_refuse(document: dict[str, Any]) -> None:
    described = {path: set(item) for path, item in document["paths"].items()}
    # the bare address, the documents themselves, health and metrics, definitions (there are none), duplicates with a
    # trailing slash
    unnamed = re.compile(r"|openapi/.*|apis/docs.*|livez|readyz|healthz|metrics|.*/|apis/apiextensions.*")
    patterns: list[Any] = urlpatterns
    for pattern in patterns:
        route = re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
        if unnamed.fullmatch(route):
            continue
        assert isinstance(pattern, URLPattern)
        view: Any = pattern.callback
        can = {name for name in METHODS if name.upper() in view.cls().allowed_methods} - {"delete"}
        if "{namespace}" not in route and getattr(view.cls.kind, "namespaced", False):
            can -= {"post"}
        assert described.pop(f"/{route}") == can, route
    assert not described


def test_kubectl_finds_each_kind_and_what_its_patch_takes(document: dict[str, Any]) -> None:
    for kind in all_kinds():
        known = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        assert document["components"]["schemas"][kind.kind]["x-kubernetes-group-version-kind"] == [known]
        patch = document["paths"][object_path(kind)]["patch"]
        assert patch["x-kubernetes-group-version-kind"] == known
        assert {"fieldValidation", "dryRun", "fieldManager"} <= {entry["name"] for entry in patch["parameters"]}
        assert list(patch["requestBody"]["content"]) == ["application/merge-patch+json"]


def test_every_operation_has_a_name_of_its_own_an_example_of_each_body_and_a_status_for_each_refusal(
    document: dict[str, Any],
) -> None:
    names = [operation["operationId"] for _path, _method, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        assert operation["summary"], path
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for code, answer in operation["responses"].items():
            if answer.get("$ref"):
                answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Status"}
            if code != "304":
                bodies.append(answer)
        for body in bodies:
            for kind, content in body["content"].items():
                assert kind in BODY_TYPES, (path, method)
                # a Parquet file has no JSON example
                assert kind == PARQUET or content["examples"], (path, method)
        assert {"200", "201"} & operation["responses"].keys()
        assert ("401" in operation["responses"]) is (path != "/version")
        assert operation["security"] == ([{}] if path == "/version" else [{"bearer": []}])


def test_every_field_of_every_shape_says_what_it_is(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"


def test_what_users_write_is_closed_and_what_the_server_answers_is_not_required_of_them(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    for kind in all_kinds():
        assert schemas[kind.kind]["additionalProperties"] is False
        assert schemas[kind.kind]["properties"]["status"]["readOnly"] is True
        assert "status" not in schemas[kind.kind]["required"]
    assert schemas["PaymentTerms"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["Condition"]
    assert schemas["PaymentTerms"]["properties"]["netDays"]["nullable"] is True


def test_the_examples_are_as_really_run(document: dict[str, Any]) -> None:
    person = make.a_person(groups=("finance-operator", "charge-reporter"))
    api = Api.of(person)
    order = ["Organization", "BillingAccount", "Project", "BillingAccountBinding", "ApprovalRequest", "Charge"]
    order += ["PayerChange", "BillingAccountAffiliation"]
    for kind in sorted(all_kinds(), key=lambda kind: order.index(kind.kind)):
        one = object_path(kind)
        create = document["paths"][one.removesuffix("/{name}")]["post"]
        sent, shown = example_of(create["requestBody"]), example_of(create["responses"]["201"])
        path = one.format(name=sent["metadata"]["name"], namespace=sent["metadata"].get("namespace"))
        if kind.kind == "PayerChange":
            make.a_ready_account(Organization.objects.get(), sent["spec"]["toAccountRef"]["name"])
        if kind.kind == "BillingAccountAffiliation":
            make.a_ready_account(Organization.objects.get(), sent["spec"]["billingAccountRef"]["name"])
        answer = api.post(path.rpartition("/")[0], sent).done(201)
        assert answer["spec"] == shown["spec"]
        # the example omits managedFields, as kubectl does
        assert answer["metadata"].keys() - {"managedFields"} == shown["metadata"].keys()
        assert shapes(answer["status"]) <= shapes(shown["status"])
        change = document["paths"][one]["patch"]
        answered = api.patch(path, example_of(change["requestBody"], "application/merge-patch+json"))
        assert answered.code == (200 if "patch" in kind.verbs else 405)


def test_the_examples_of_acts_and_readings_are_of_their_form(document: dict[str, Any]) -> None:
    for kind in all_kinds():
        one = document["paths"], object_path(kind)
        for act in kind.actions:
            body = example_of(one[0][f"{one[1]}/{act.name}"]["post"]["requestBody"])
            assert objects.read_spec(act.serializer, body).keys() >= {
                field.source for field in act.serializer().fields.values() if field.required
            }
        for reading in kind.read_subresources:
            shown = example_of(one[0][f"{one[1]}/{reading.name}"]["get"]["responses"]["200"])
            reader = reading.response(data=shown)
            assert reader.is_valid(), reader.errors
            assert shown.keys() == reader.fields.keys()


def example_of(body: dict[str, Any], content_type: str = "application/json") -> Any:
    (found,) = body["content"][content_type]["examples"].values()
    return found["value"]


def shapes(value: Any, path: str = "") -> set[str]:
    """Return every path in a value, but none below `reviewed`, which is as wide as the account."""
    if path == ".reviewed":
        return {path}
    if isinstance(value, dict):
        return {path}.union(*(shapes(item, f"{path}.{key}") for key, item in value.items()))
    return {path}.union(*(shapes(item, path) for item in value)) if isinstance(value, list) else {path}


def test_the_documents_hold_no_secret(document: dict[str, Any]) -> None:
    text = str(document)
    assert not re.search(r"milo_[A-Za-z0-9_-]{10,}|postgresql://|/tmp/|SECRET", text)


def test_the_phase_of_each_kind_lists_what_it_may_be(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def field(component: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = schemas[component]["properties"][name]
        [reference] = [each["$ref"] for each in found.get("allOf", [found])] if "enum" not in found else [""]
        return schemas[reference.rpartition("/")[2]] if reference else found

    for kind in all_kinds():
        status = field(kind.kind, "status")
        if "phase" in status["properties"]:
            phase: Any = kind.model._meta.get_field("phase")
            assert status["properties"]["phase"]["enum"] == [value for value, _label in phase.choices], kind
    of = [kind.kind for kind in all_kinds() if "phase" in field(kind.kind, "status")["properties"]]
    assert {"Organization", "Project", "BillingAccount", "BillingAccountBinding", "ApprovalRequest"} <= set(of)
