import base64
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from projects.models import Organization
from tests.api.client import ACCOUNTS, BILLING, BINDINGS, ORGANIZATIONS, PROJECTS, Answer, Api, nothing_changes
from tests.api.examples import an_account
from tests.support import make

ALL_ACCOUNTS = f"{BILLING}/billingaccounts"


@pytest.fixture
def accounts(organization: Organization) -> list[str]:
    names = [f"account-{number}" for number in range(5)]
    for name in names:
        make.a_ready_account(organization, name)
    return names


def pages(api: Api, path: str) -> list[Answer]:
    """Every page of a list, followed by its continue tokens."""
    found = [api.get(path)]
    while token := found[-1].done()["metadata"].get("continue"):
        found.append(api.get(f"{path}&continue={token}"))
    return found


def token(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(parts))).decode()


def test_a_list_says_its_kind_and_revision(admin: Api, accounts: list[str]) -> None:
    listed = admin.get(ACCOUNTS).done()
    assert (listed["kind"], listed["apiVersion"]) == ("BillingAccountList", "billing.milo.io/v1alpha1")
    assert [item["metadata"]["name"] for item in listed["items"]] == accounts
    assert listed["metadata"] == {"resourceVersion": listed["items"][-1]["metadata"]["resourceVersion"]}
    assert admin.get(f"{ACCOUNTS}/account-3").done() == listed["items"][3]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_pages_hold_every_object_once(admin: Api, accounts: list[str], limit: int) -> None:
    found = pages(admin, f"{ACCOUNTS}?limit={limit}")
    assert [name for page in found for name in page.names()] == accounts
    assert all(len(page.names()) <= limit for page in found)
    assert len({page.version for page in found}) == 1


def test_pages_show_what_the_first_page_saw_while_others_write(admin: Api, accounts: list[str]) -> None:
    first = admin.get(f"{ACCOUNTS}?limit=2").done()
    before = admin.get(f"{ACCOUNTS}/account-3").done()
    admin.patch(f"{ACCOUNTS}/account-0", {"spec": {"displayName": "On the page read"}}).done()
    admin.patch(f"{ACCOUNTS}/account-3", {"spec": {"displayName": "On a page to come"}}).done()
    admin.post(ACCOUNTS, an_account("account-33")).done(201)
    rest = admin.get(f"{ACCOUNTS}?limit=10&continue={first['metadata']['continue']}")
    assert rest.names() == ["account-2", "account-3", "account-4"]
    assert rest.json["items"][1] == before
    assert rest.version == first["metadata"]["resourceVersion"]
    assert "account-33" in admin.get(ACCOUNTS).names()


def test_pages_of_a_selection_keep_what_was_selected_when_the_list_began(
    admin: Api, organization: Organization
) -> None:
    for number in range(4):
        admin.post(ACCOUNTS, an_account(f"account-{number}")).done(201)
        admin.patch(f"{ACCOUNTS}/account-{number}", {"metadata": {"labels": {"tier": "gold"}}}).done()
    first = admin.get(f"{ACCOUNTS}?labelSelector=tier%3Dgold&limit=1").done()
    admin.patch(f"{ACCOUNTS}/account-2", {"metadata": {"labels": {"tier": "silver"}}}).done()
    rest = admin.get(f"{ACCOUNTS}?labelSelector=tier%3Dgold&limit=9&continue={first['metadata']['continue']}")
    assert rest.names() == ["account-1", "account-2", "account-3"]
    assert admin.get(f"{ACCOUNTS}?labelSelector=tier%3Dgold").names() == ["account-0", "account-1", "account-3"]


def test_a_project_handed_over_between_two_pages_is_shown_with_its_payer_of_then(
    admin: Api, organization: Organization
) -> None:
    us, eu = make.a_ready_account(organization, "us"), make.a_ready_account(organization, "eu")
    first, second = make.a_project(organization, "a-project"), make.a_project(organization, "b-project")
    make.a_binding(first, us)
    make.a_binding(second, us)
    page = admin.get(f"{PROJECTS}?limit=1").done()
    make.a_binding(second, eu)
    [then] = admin.get(f"{PROJECTS}?limit=1&continue={page['metadata']['continue']}").done()["items"]
    assert then["status"]["billingResponsibility"]["account"] == "us"


@pytest.mark.parametrize(
    "sent",
    [
        "x", "NQ==", "bnVsbA==", "e30=", "W10=", "%00", "%ff", "é", "a" * 5000,
        token(1), token("1", 1, "a"), token(1, "a", "a"), token(1, 1, 1), token(1, 1, "a", "a"), token(True, 1, "a"),
        token(1, 1, "\x00"), token(1, 2**63, "a"), token(2**63, 1, "a"), token(-1, 1, "a"), token(1, -(2**63), "a"),
        token(1, None, "a"), token(1, 1.5, "a"), token(1, [1], "a"), token(1, 1, "a" * 300),
    ],
)  # fmt: skip
def test_a_continue_token_that_was_not_given_out_is_refused(admin: Api, accounts: list[str], sent: str) -> None:
    admin.get(f"{ACCOUNTS}?continue={sent}").refused(400, "BadRequest")


def test_a_continue_token_shows_nobody_what_they_may_not_see(
    admin: Api, stranger: Api, accounts: list[str], other: Organization
) -> None:
    make.a_ready_account(other, "theirs")
    given = admin.get(f"{ACCOUNTS}?limit=1").done()["metadata"]["continue"]
    assert stranger.get(f"{ALL_ACCOUNTS}?continue={given}").names() == ["theirs"]


def test_a_continue_token_of_a_key_that_is_gone_has_expired_and_of_a_fallback_goes_on(
    admin: Api, accounts: list[str], settings: Settings
) -> None:
    first = admin.get(f"{ACCOUNTS}?limit=1").done()
    page = f"{ACCOUNTS}?continue={first['metadata']['continue']}"
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert admin.get(page).names() == accounts[1:]
    settings.SECRET_KEY_FALLBACKS = []
    status = admin.get(page).refused(410, "Expired")
    # where the list stopped cannot be read: a token would begin anew, and repeat the first page
    assert status["metadata"] == {}
    assert "start the list again" in status["message"]


@pytest.mark.parametrize("limit", ["abc", "-1", "1.5", "1e3", "٣", "0x1", "%00", "+1"])
def test_a_limit_that_is_no_number_is_refused(admin: Api, organization: Organization, limit: str) -> None:
    message = admin.get(f"{ACCOUNTS}?limit={limit}").refused(400, "BadRequest")["message"]
    assert message == "limit must be a whole number, not negative"


@pytest.mark.parametrize("name", ["limit", "timeoutSeconds", "resourceVersion"])
def test_a_number_of_too_many_digits_is_said_to_be_too_large(admin: Api, organization: Organization, name: str) -> None:
    for digits in (19, 5000):
        message = admin.get(f"{ACCOUNTS}?{name}={'9' * digits}").refused(400, "BadRequest")["message"]
        assert message == f"{name} is too large: at most 18 digits"


def test_a_resource_version_of_too_many_digits_in_a_body_is_too_large(admin: Api, accounts: list[str]) -> None:
    with nothing_changes():
        refusal = admin.patch(f"{ACCOUNTS}/{accounts[0]}", {"metadata": {"resourceVersion": "9" * 19}})
    refusal.refused(400, "BadRequest")
    assert refusal.causes() == {"metadata.resourceVersion": "is too large: at most 18 digits"}


@pytest.mark.parametrize("limit", ["0", "999999999999999999"])
def test_no_limit_and_a_huge_one_mean_as_many_as_there_may_be(admin: Api, accounts: list[str], limit: str) -> None:
    assert admin.get(f"{ACCOUNTS}?limit={limit}").names() == accounts


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("labelSelector=tier%3Dgold", ["gold"]),
        ("labelSelector=tier+in+(gold,silver)", ["gold", "silver"]),
        ("labelSelector=!tier", ["plain"]),
        ("labelSelector=tier!%3Dgold", ["plain", "silver"]),
        ("fieldSelector=metadata.name%3Dgold", ["gold"]),
        ("fieldSelector=spec.currencyCode%3DEUR", ["silver"]),
        ("fieldSelector=status.phase!%3DReady", ["plain"]),
        ("labelSelector=tier&fieldSelector=status.phase%3DReady,spec.currencyCode%3DUSD", ["gold"]),
        ("fieldSelector=metadata.namespace%3Dother-corp", []),
    ],
)
def test_selectors_choose(admin: Api, organization: Organization, selector: str, expected: list[str]) -> None:
    make.a_ready_account(organization, "gold")
    make.a_ready_account(organization, "silver", currency_code="EUR")
    make.an_incomplete_account(organization, "plain")
    for name in ("gold", "silver"):
        admin.patch(f"{ACCOUNTS}/{name}", {"metadata": {"labels": {"tier": name}}}).done()
    assert admin.get(f"{ACCOUNTS}?{selector}").names() == expected


@pytest.mark.parametrize("selector", ["labelSelector=a+b", "fieldSelector=spec.secret%3Dx", "labelSelector=%00"])
def test_a_bad_selector_is_refused(admin: Api, organization: Organization, selector: str) -> None:
    assert "select" in admin.get(f"{ACCOUNTS}?{selector}").refused(400, "BadRequest")["message"].lower()


def test_bindings_are_found_by_project_and_by_account(admin: Api, organization: Organization) -> None:
    us, eu = make.a_ready_account(organization, "us"), make.a_ready_account(organization, "eu")
    make.a_binding(make.a_project(organization, "webapp"), us, "first")
    make.a_binding(make.a_project(organization, "backend"), eu, "second")
    assert admin.get(f"{BINDINGS}?fieldSelector=spec.projectRef.name%3Dwebapp").names() == ["first"]
    assert admin.get(f"{BINDINGS}?fieldSelector=spec.billingAccountRef.name%3Deu").names() == ["second"]


def test_a_list_over_all_namespaces_holds_what_the_reader_may_read(
    admin: Api, stranger: Api, auditor: Api, operator: Api, organization: Organization, other: Organization
) -> None:
    make.a_ready_account(organization, "ours")
    make.a_ready_account(other, "theirs")
    assert admin.get(ALL_ACCOUNTS).names() == ["ours"]
    assert stranger.get(ALL_ACCOUNTS).names() == ["theirs"]
    for staff in (auditor, operator):
        assert staff.get(ALL_ACCOUNTS).names() == ["ours", "theirs"]
        assert staff.get(ORGANIZATIONS).names() == ["acme-corp", "other-corp"]
    assert admin.get(ORGANIZATIONS).names() == ["acme-corp"]


def test_who_may_read_nothing_is_told_so(organization: Organization) -> None:
    nobody = Api.of(make.a_person())
    for path in (ALL_ACCOUNTS, ORGANIZATIONS, PROJECTS, "/api/v1/namespaces", "/api/v1/events"):
        nobody.get(path).refused(403, "Forbidden")
    nobody.get(ACCOUNTS).refused(404, "NotFound")


def test_a_table_holds_a_row_for_each_and_metadata_of_the_list(admin: Api, accounts: list[str]) -> None:
    answer = admin.get(f"{ACCOUNTS}?limit=2", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    table = answer.done()
    assert [row["cells"][0] for row in table["rows"]] == accounts[:2]
    assert table["metadata"].keys() == {"resourceVersion", "continue"}
    assert table["columnDefinitions"][0]["format"] == "name"
    assert {column["priority"] for column in table["columnDefinitions"]} == {0, 1}
    assert all(len(row["cells"]) == len(table["columnDefinitions"]) for row in table["rows"])


@pytest.mark.parametrize(
    ("include", "kind"), [("Object", "BillingAccount"), ("Metadata", "PartialObjectMetadata"), ("None", None)]
)
def test_a_table_includes_as_much_of_the_object_as_is_asked_for(
    admin: Api, accounts: list[str], include: str, kind: str | None
) -> None:
    accept = "application/json;as=Table;v=v1beta1;g=meta.k8s.io"
    table = admin.get(f"{ACCOUNTS}?includeObject={include}", accept=accept).done()
    assert table["apiVersion"] == "meta.k8s.io/v1beta1"
    assert {row.get("object", {}).get("kind") for row in table["rows"]} == {kind}
    admin.get(f"{ACCOUNTS}?includeObject=All", accept=accept).refused(400, "BadRequest")


def test_metadata_alone_can_be_listed(admin: Api, accounts: list[str]) -> None:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    listed = admin.get(ACCOUNTS, accept=accept).done()
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert all(item.keys() == {"kind", "apiVersion", "metadata"} for item in listed["items"])


def test_a_list_in_yaml_says_the_same(admin: Api, accounts: list[str]) -> None:
    answer = admin.get(ACCOUNTS, accept="application/yaml")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.raw.count(b"  kind: BillingAccount\n") == len(accounts)


def test_a_longer_list_takes_no_more_queries(auditor: Api, organization: Organization) -> None:
    paths = [
        *(ACCOUNTS, ALL_ACCOUNTS, BINDINGS, f"{BILLING}/billingaccountbindings", PROJECTS, ORGANIZATIONS),
        *("/api/v1/namespaces", "/api/v1/events", "/api/v1/namespaces/acme-corp/events"),
    ]

    def populate(first: int, last: int) -> None:
        for number in range(first, last):
            make.an_organization(f"org-{number}")
            make.a_binding(make.a_project(organization), make.a_ready_account(organization))

    def queries(path: str) -> tuple[int, int]:
        auditor.get("/apis")  # the first use of a token in a minute is written down
        with CaptureQueriesContext(connection) as captured:
            listed = auditor.get(path).done()
        return len(captured), len(listed["items"])

    populate(0, 2)
    few = {path: queries(path) for path in paths}
    populate(2, 50)
    for path in paths:
        count, items = queries(path)
        assert items >= 50 > few[path][1]
        assert count == few[path][0], path


def test_reading_writes_nothing(admin: Api, accounts: list[str]) -> None:
    with nothing_changes():
        for path in (ACCOUNTS, f"{ACCOUNTS}/account-1", PROJECTS, "/api/v1/events", "/apis"):
            admin.get(path).done()
