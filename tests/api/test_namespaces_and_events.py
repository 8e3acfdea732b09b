from typing import Any

import pytest

from billing.services.notices.deliveries import announce_due
from projects.models import Organization
from tests.api.client import ACCOUNTS, BINDINGS, PROJECTS, Api
from tests.api.examples import a_binding
from tests.support import make

EVENTS = "/api/v1/namespaces/acme-corp/events"


@pytest.fixture
def bound(organization: Organization, admin: Api) -> dict[str, Any]:
    make.a_ready_account(organization, "us")
    make.a_project(organization, "webapp")
    return admin.post(BINDINGS, a_binding("webapp", "us", "payer")).done(201)


def reasons(api: Api, path: str) -> list[str]:
    return [event["reason"] for event in api.get(path).done()["items"]]


def test_an_organization_is_a_namespace_to_whoever_may_see_it(
    admin: Api, auditor: Api, organization: Organization, other: Organization
) -> None:
    namespaces = admin.get("/api/v1/namespaces").done()
    assert (namespaces["kind"], namespaces["apiVersion"]) == ("NamespaceList", "v1")
    [ours] = namespaces["items"]
    assert ours["kind"] == "Namespace"
    assert ours["status"] == {"phase": "Active"}
    assert ours["metadata"]["labels"] == {"kubernetes.io/metadata.name": "acme-corp"}
    assert admin.get("/api/v1/namespaces/acme-corp").done() == ours
    assert auditor.get("/api/v1/namespaces").names() == ["acme-corp", "other-corp"]


def test_a_foreign_namespace_is_as_missing_as_one_that_is_not(admin: Api, other: Organization) -> None:
    foreign, missing = admin.get("/api/v1/namespaces/other-corp"), admin.get("/api/v1/namespaces/other-cord")
    foreign.refused(404, "NotFound")
    assert foreign.raw.replace(b"corp", b"cord") == missing.raw.replace(b"corp", b"cord")


def test_namespaces_come_in_pages(auditor: Api, organization: Organization, other: Organization) -> None:
    first = auditor.get("/api/v1/namespaces?limit=1")
    assert first.names() == ["acme-corp"]
    token = first.json["metadata"]["continue"]
    assert auditor.get(f"/api/v1/namespaces?limit=1&continue={token}").names() == ["other-corp"]


def test_namespaces_are_selected_like_their_organizations(
    auditor: Api, organization: Organization, other: Organization
) -> None:
    assert auditor.get("/api/v1/namespaces?fieldSelector=metadata.name%3Dother-corp").names() == ["other-corp"]
    auditor.get("/api/v1/namespaces?labelSelector=a+b").refused(400, "BadRequest")


def test_a_namespace_is_made_as_an_organization_and_not_deleted(operator: Api, organization: Organization) -> None:
    operator.post("/api/v1/namespaces", {"kind": "Namespace"}).refused(422, "Invalid")
    sent = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "made"}}
    assert operator.post("/api/v1/namespaces", sent).done(201)["kind"] == "Namespace"
    assert Organization.objects.filter(name="made").exists()
    kept = operator.delete("/api/v1/namespaces/acme-corp").refused(405, "MethodNotAllowed")
    assert "its ledger is kept" in kept["message"]
    gone = operator.delete("/api/v1/namespaces/nowhere").refused(404, "NotFound")
    assert gone["message"] == 'namespaces "nowhere" not found'


def test_events_tell_what_happened_to_an_object_newest_first(admin: Api, bound: dict[str, Any]) -> None:
    uid = bound["metadata"]["uid"]
    selector = "involvedObject.name%3Dpayer,involvedObject.namespace%3Dacme-corp"
    selector += f",involvedObject.kind%3DBillingAccountBinding,involvedObject.uid%3D{uid}"
    [event] = admin.get(f"{EVENTS}?fieldSelector={selector}").done()["items"]
    assert (event["kind"], event["apiVersion"], event["type"]) == ("Event", "v1", "Normal")
    assert event["involvedObject"] == {
        "kind": "BillingAccountBinding",
        "namespace": "acme-corp",
        "name": "payer",
        "uid": uid,
        "apiVersion": "billing.milo.io/v1alpha1",
        "resourceVersion": bound["metadata"]["resourceVersion"],
    }
    assert (event["reason"], event["message"]) == ("SuccessfulBinding", "us pays for webapp")
    assert event["reportingComponent"] == "user:acme-admin"
    assert admin.get(f"{EVENTS}/{event['metadata']['name']}").done() == event
    assert reasons(admin, f"{EVENTS}?fieldSelector=involvedObject.name%3Dus") == [
        "ProjectLinked",
        "BillingAccountReady",
    ]


def test_events_of_a_project_stand_in_the_namespace_default(admin: Api, bound: dict[str, Any]) -> None:
    selector = "fieldSelector=involvedObject.kind%3DProject,involvedObject.name%3Dwebapp"
    assert reasons(admin, f"/api/v1/namespaces/default/events?{selector}") == ["PayerChanged", "ProjectCreated"]
    assert reasons(admin, f"/api/v1/events?{selector}") == ["PayerChanged", "ProjectCreated"]


def test_events_hold_no_more_than_the_reader_may_list(
    admin: Api, stranger: Api, auditor: Api, bound: dict[str, Any]
) -> None:
    assert "OrganizationCreated" in reasons(stranger, "/api/v1/events")
    names = {event["involvedObject"]["name"] for event in stranger.get("/api/v1/events").done()["items"]}
    assert names == {"other-corp"}
    stranger.get(EVENTS).refused(404, "NotFound")
    [event] = admin.get(f"{EVENTS}?fieldSelector=involvedObject.name%3Dpayer").done()["items"]
    for path in (
        f"{EVENTS}/{event['metadata']['name']}",
        f"/api/v1/namespaces/other-corp/events/{event['metadata']['name']}",
    ):
        stranger.get(path).refused(404, "NotFound")
    assert auditor.get(f"{EVENTS}/{event['metadata']['name']}").done() == event


@pytest.mark.parametrize(
    "name", ["payer", "payer.zz", "payer.", "other.1", "%00", "payer." + "f" * 40, "payer.-1", "payer.+1", "payer.1_0"]
)
def test_an_event_of_another_name_is_not_found(admin: Api, bound: dict[str, Any], name: str) -> None:
    admin.get(f"{EVENTS}/{name}").refused(404, "NotFound")


@pytest.mark.parametrize(
    "selector",
    ["involvedObject.uid%3Dnonsense", "involvedObject.kind%3DPod", "reason!%3D", "involvedObject.name%3D%E2%82%AC"],
)
def test_a_selector_that_fits_nothing_finds_nothing_or_all(admin: Api, bound: dict[str, Any], selector: str) -> None:
    found = reasons(admin, f"{EVENTS}?fieldSelector={selector}")
    assert bool(found) is ("!" in selector)


@pytest.mark.parametrize(
    "query", ["fieldSelector=spec.x%3D1", "fieldSelector=reason", "limit=abc", "fieldSelector=reason%3D%00"]
)
def test_a_bad_query_is_refused(admin: Api, bound: dict[str, Any], query: str) -> None:
    admin.get(f"{EVENTS}?{query}").refused(400, "BadRequest")


def test_a_limit_bounds_the_events(admin: Api, bound: dict[str, Any]) -> None:
    admin.post(f"{PROJECTS}/webapp/archive").done()
    assert len(reasons(admin, f"{EVENTS}?limit=2")) == 2


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("type%3DWarning", 0),
        ("type%3DNormal", 1),
        ("metadata.namespace%3Dacme-corp", 1),
        ("metadata.namespace%3Dother-corp", 0),
        ("involvedObject.apiVersion%3Dbilling.milo.io/v1alpha1", 1),
        ("involvedObject.apiVersion%3Dv1", 0),
        ("involvedObject.resourceVersion%3D1", 0),
        ("involvedObject.resourceVersion%3Dx", 0),
    ],
)
def test_a_selector_of_what_is_the_same_for_all_chooses_too(
    admin: Api, bound: dict[str, Any], selector: str, count: int
) -> None:
    found = admin.get(f"{EVENTS}?fieldSelector={selector},reason%3DSuccessfulBinding").done()["items"]
    assert len(found) == count
    by_name = [
        admin.get(f"{EVENTS}?fieldSelector=metadata.name%3D{event['metadata']['name']}").json["items"]
        for event in found
    ]
    assert by_name == [[event] for event in found]


def test_bad_news_is_a_warning(admin: Api, operator: Api, organization: Organization, bound: dict[str, Any]) -> None:
    make.an_incomplete_account(organization, "labs")
    suspend = {"spec": {"reasonCode": "PaymentPastDue", "message": "Invoice 17 is unpaid"}}
    operator.post(f"{ACCOUNTS}/us/suspend", suspend).done()
    announce_due()
    all_events = admin.get("/api/v1/events").done()["items"]
    warned = {event["reason"] for event in all_events if event["type"] == "Warning"}
    assert warned == {"BillingAccountIncomplete", "BillingAccountSuspended", "PayerSuspended"}
    assert {event["type"] for event in all_events} == {"Normal", "Warning"}
    for selector, wanted in (
        ("type%3DWarning", lambda event: event["type"] == "Warning"),
        ("type%3DNormal", lambda event: event["type"] == "Normal"),
        ("type!%3DWarning", lambda event: event["type"] == "Normal"),
        ("type!%3DNormal", lambda event: event["type"] == "Warning"),
        ("type%3Dwarning", lambda event: False),
        ("type!%3D", lambda event: True),
    ):
        found = admin.get(f"/api/v1/events?fieldSelector={selector}").done()["items"]
        assert found == [event for event in all_events if wanted(event)], selector


def test_the_list_of_events_says_from_where_a_watch_goes_on(admin: Api, bound: dict[str, Any]) -> None:
    listed = admin.get(f"{EVENTS}?fieldSelector=reason%3DNothing").done()
    assert listed["items"] == []
    assert int(listed["metadata"]["resourceVersion"]) >= int(bound["metadata"]["resourceVersion"])
    uids = {event["metadata"]["uid"] for event in admin.get(EVENTS).json["items"]}
    assert len(uids) == len(admin.get(EVENTS).json["items"])


def test_every_event_has_a_message_for_people(admin: Api, bound: dict[str, Any]) -> None:
    told = {event["reason"]: event["message"] for event in admin.get("/api/v1/events").done()["items"]}
    assert told["BillingAccountReady"] == "Billing account ready, by system:tests"
    assert told["SuccessfulBinding"] == "us pays for webapp"
    assert not told.keys() & set(told.values())


def test_a_stranger_watches_no_foreign_events(stranger: Api, organization: Organization) -> None:
    stranger.get(f"{EVENTS}?watch=true").refused(404, "NotFound")
