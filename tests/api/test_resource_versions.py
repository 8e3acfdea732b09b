"""Lists as of a revision: resourceVersion and resourceVersionMatch."""

from datetime import timedelta

import pytest

from milo.kube.models import Counter
from milo.kube.store import changes
from milo.ledger import seals
from projects.models import Organization
from tests.api.client import ACCOUNTS, BILLING, ORGANIZATIONS, PROJECTS, Api
from tests.support import make

NAMESPACES, EVENTS = "/api/v1/namespaces", "/api/v1/namespaces/acme-corp/events"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LISTS = [
    ACCOUNTS,
    f"{BILLING}/billingaccounts",
    PROJECTS,
    ORGANIZATIONS,
    NAMESPACES,
    EVENTS,
    "/api/v1/events",
    DEFINITIONS,
]
OBJECTS = [
    f"{ACCOUNTS}/us",
    f"{ACCOUNTS}/us/status",
    f"{PROJECTS}/web",
    f"{ORGANIZATIONS}/acme-corp",
    f"{NAMESPACES}/acme-corp",
]


@pytest.fixture
def ledger(organization: Organization) -> None:
    make.a_project(organization, "web")
    make.a_ready_account(organization, "us", display_name="Before")


def compact() -> None:
    """Say that all revisions before the newest may be gone."""
    seals.seal()
    Counter.objects.update(compacted=changes.current_version())


def now(api: Api) -> int:
    return int(api.get(ACCOUNTS).version)


def test_exact_is_that_moment_and_never_todays_list(operator: Api, ledger: None) -> None:
    then = now(operator)
    before = {path: operator.get(path).done() for path in LISTS}
    operator.patch(f"{ACCOUNTS}/us", {"spec": {"displayName": "After"}, "metadata": {"labels": {"a": "b"}}}).done()
    operator.patch(f"{ORGANIZATIONS}/acme-corp", {"metadata": {"labels": {"a": "b"}}}).done()
    operator.patch(f"{PROJECTS}/web", {"metadata": {"labels": {"a": "b"}}}).done()
    make.a_ready_account(Organization.objects.get(), "eu")
    for path in LISTS:
        exact = operator.get(f"{path}?resourceVersion={then}&resourceVersionMatch=Exact").done()
        assert exact == before[path], path
        # with a limit, a resourceVersion alone means the same
        assert operator.get(f"{path}?resourceVersion={then}&limit=100").done() == before[path], path
        later = operator.get(f"{path}?resourceVersion={then}&resourceVersionMatch=NotOlderThan").done()
        assert later == operator.get(path).done() == operator.get(f"{path}?resourceVersion={then}").done()
        assert later["metadata"] != before[path]["metadata"]
    assert operator.get(f"{ACCOUNTS}?resourceVersion={then}&resourceVersionMatch=Exact&labelSelector=a").names() == []
    selected = f"{ACCOUNTS}?resourceVersion={then}&resourceVersionMatch=Exact&labelSelector=!a"
    assert operator.get(selected).names() == ["us"]


def test_exact_shows_who_paid_then(operator: Api, organization: Organization) -> None:
    project, one = make.a_project(organization, "web"), make.a_ready_account(organization, "one")
    make.a_binding(project, one, "to-one")
    then = now(operator)
    make.a_binding(project, make.a_ready_account(organization, "other"), "to-other")
    exact = operator.get(f"{PROJECTS}?resourceVersion={then}&resourceVersionMatch=Exact").done()
    assert exact["items"][0]["status"]["billingResponsibility"]["account"] == "one"
    assert operator.get(PROJECTS).done()["items"][0]["status"]["billingResponsibility"]["account"] == "other"


def test_exact_is_paged_as_of_that_moment(operator: Api, organization: Organization) -> None:
    for name in ("a", "b", "c"):
        make.a_ready_account(organization, name)
    then = now(operator)
    operator.patch(f"{ACCOUNTS}/b", {"spec": {"displayName": "After"}}).done()
    make.a_ready_account(organization, "bb")
    query, found = f"resourceVersion={then}&resourceVersionMatch=Exact", []
    while query:
        page = operator.get(f"{ACCOUNTS}?limit=1&{query}").done()
        assert page["metadata"]["resourceVersion"] == str(then)
        found += [(item["metadata"]["name"], item["spec"].get("displayName", "")) for item in page["items"]]
        token = page["metadata"].get("continue")
        query = f"continue={token}" if token else ""
    assert [name for name, _shown in found] == ["a", "b", "c"]
    assert "After" not in dict(found).values()


def test_what_was_compacted_is_gone(operator: Api, ledger: None) -> None:
    then = now(operator)
    operator.patch(f"{ACCOUNTS}/us", {"spec": {"displayName": "After"}}).done()
    compact()
    for path in LISTS:
        if path != DEFINITIONS:
            refused = operator.get(f"{path}?resourceVersion={then}&resourceVersionMatch=Exact").refused(410, "Expired")
            assert refused["metadata"] == {}, path
            assert operator.get(f"{path}?resourceVersion={then}&resourceVersionMatch=NotOlderThan").code == 200


@pytest.mark.parametrize("path", [ACCOUNTS, NAMESPACES, PROJECTS])
def test_an_expired_page_comes_with_a_token_that_goes_on(operator: Api, organization: Organization, path: str) -> None:
    for name in ("a-corp", "b-corp"):
        make.an_organization(name)
        make.a_ready_account(organization, name)
        make.a_project(organization, name)
    first = operator.get(f"{path}?limit=1").done()
    token = first["metadata"]["continue"]
    operator.patch(f"{ACCOUNTS}/b-corp", {"spec": {"displayName": "After"}}).done()
    compact()
    expired = operator.get(f"{path}?limit=1&continue={token}").refused(410, "Expired")
    onward = expired["metadata"]["continue"]
    rest = operator.get(f"{path}?limit=500&continue={onward}").done()
    names = [item["metadata"]["name"] for item in (*first["items"], *rest["items"])]
    assert names == operator.get(path).names()
    # of another kind, it is none
    operator.get(f"{BILLING}/charges?continue={onward}").refused(400, "BadRequest")


@pytest.mark.parametrize("path", [*LISTS, *OBJECTS])
def test_the_future_is_too_large(operator: Api, ledger: None, path: str) -> None:
    ahead = now(operator) + 1
    queries = [f"resourceVersion={ahead}"]
    if path in LISTS:
        queries += [f"{queries[0]}&resourceVersionMatch={match}" for match in ("Exact", "NotOlderThan")]
    for query in queries:
        answer = operator.get(f"{path}?{query}")
        status = answer.refused(504, "Timeout")
        assert status["message"] == f"Timeout: Too large resource version: {ahead}, current: {ahead - 1}"
        assert status["details"]["retryAfterSeconds"] == 1
        assert status["details"]["causes"] == [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        ]
        assert answer.headers["Retry-After"] == "1"
    assert operator.get(f"{path}?resourceVersion={ahead - 1}").code == 200


MEANINGLESS = [
    ("resourceVersionMatch=Exact", "resourceVersionMatch", "FieldValueForbidden"),
    ("resourceVersionMatch=NotOlderThan", "resourceVersionMatch", "FieldValueForbidden"),
    ("resourceVersionMatch=Exact&resourceVersion=", "resourceVersionMatch", "FieldValueForbidden"),
    ("resourceVersionMatch=Exact&resourceVersion=0", "resourceVersionMatch", "FieldValueForbidden"),
    ("resourceVersionMatch=Exact&resourceVersion=1&continue=x", "resourceVersionMatch", "FieldValueForbidden"),
    ("resourceVersionMatch=exact&resourceVersion=1", "resourceVersionMatch", "FieldValueNotSupported"),
    ("resourceVersionMatch=Newest&resourceVersion=1", "resourceVersionMatch", "FieldValueNotSupported"),
    ("sendInitialEvents=true", "sendInitialEvents", "FieldValueForbidden"),
    ("watch=true&resourceVersionMatch=NotOlderThan", "resourceVersionMatch", "FieldValueForbidden"),
    ("watch=true&resourceVersionMatch=Exact&resourceVersion=1", "resourceVersionMatch", "FieldValueForbidden"),
    ("watch=true&sendInitialEvents=true", "resourceVersionMatch", "FieldValueForbidden"),
    ("watch=true&sendInitialEvents=true&resourceVersionMatch=Exact", "resourceVersionMatch", "FieldValueForbidden"),
]


@pytest.mark.parametrize("path", LISTS)
def test_what_means_nothing_is_invalid(operator: Api, ledger: None, path: str) -> None:
    for query, field, reason in MEANINGLESS:
        status = operator.get(f"{path}?{query}").refused(422, "Invalid")
        assert (field, reason) in {(cause["field"], cause["reason"]) for cause in status["details"]["causes"]}, query
    operator.get(f"{path}?resourceVersion=1&continue=x").refused(400, "BadRequest")


def test_a_watch_from_a_state_that_is_yet_to_come_is_refused(operator: Api, ledger: None) -> None:
    ahead = now(operator) + 1
    query = f"watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion={ahead}"
    for path in (ACCOUNTS, NAMESPACES, EVENTS, DEFINITIONS):
        operator.get(f"{path}?{query}").refused(504, "Timeout")


def test_a_compaction_keeps_the_newest_moment_readable(operator: Api, ledger: None) -> None:
    operator.patch(f"{ACCOUNTS}/us", {"spec": {"displayName": "After"}}).done()
    seals.seal()
    assert changes.compact(timedelta(0)) > 0
    at = changes.oldest_version()
    exact = operator.get(f"{ACCOUNTS}?resourceVersion={at}&resourceVersionMatch=Exact").done()
    assert exact["items"] == operator.get(ACCOUNTS).done()["items"]
