from typing import Any

import pytest

from projects.models import Organization
from tests.api.client import ACCOUNTS, PROJECTS, Api, nothing_changes
from tests.api.examples import a_project, an_account
from tests.support import make

pytestmark = pytest.mark.once

TYPO: dict[str, Any] = {"currencycode": "EUR", "paymentTerms": {"netDay": 60}}


@pytest.mark.parametrize("mode", ["", "?fieldValidation=Strict"])
def test_an_unknown_field_is_refused_by_name(admin: Api, mode: str) -> None:
    with nothing_changes():
        answer = admin.post(f"{ACCOUNTS}{mode}", an_account(**TYPO))
    status = answer.refused(400, "BadRequest")
    assert status["message"] == (
        'strict decoding error: unknown field "spec.paymentTerms.netDay", unknown field "spec.currencycode"'
    )
    assert answer.causes().keys() == {"spec.currencycode", "spec.paymentTerms.netDay"}


def test_an_unknown_field_may_be_warned_of(admin: Api) -> None:
    answer = admin.post(f"{ACCOUNTS}?fieldValidation=Warn", an_account(**TYPO))
    assert "currencycode" not in answer.done(201)["spec"]
    assert answer.headers["Warning"] == (
        '299 - "unknown field \\"spec.paymentTerms.netDay\\"", 299 - "unknown field \\"spec.currencycode\\""'
    )


def test_an_unknown_field_may_be_ignored(admin: Api) -> None:
    answer = admin.post(f"{ACCOUNTS}?fieldValidation=Ignore", an_account(**TYPO))
    assert answer.done(201)["spec"].keys() == {"currencyCode", "paymentProfile"}
    assert "Warning" not in answer.headers


def test_a_patch_is_validated_in_the_same_way(admin: Api, organization: Organization) -> None:
    make.a_ready_account(organization, "us")
    with nothing_changes():
        admin.patch(f"{ACCOUNTS}/us", {"spec": TYPO}).refused(400, "BadRequest")
        warned = admin.patch(f"{ACCOUNTS}/us?fieldValidation=Warn", {"spec": TYPO})
    assert warned.done()["spec"]["currencyCode"] == "USD"
    assert "currencycode" in warned.headers["Warning"]


@pytest.mark.parametrize(
    "manifest",
    [
        a_project() | {"data": {}},
        a_project() | {"metadata": {"name": "webapp", "label": {}}},
        a_project(organizationref={"name": "x"}),
        a_project() | {"spec": {"organizationRef": {"name": "acme-corp", "namespace": "x"}}},
    ],
)
def test_unknown_fields_are_found_everywhere(admin: Api, manifest: object) -> None:
    with nothing_changes():
        assert "unknown field" in admin.post(PROJECTS, manifest).refused(400, "BadRequest")["message"]


@pytest.mark.parametrize("name", ["spec\nX-Evil: 1", "a\rb", "ä", "a\\b", 'a"b', "\u2028", "x" * 10_000])
def test_a_warning_carries_any_name_of_a_field_safely(admin: Api, name: str) -> None:
    answer = admin.post(f"{ACCOUNTS}?fieldValidation=Warn", an_account(**{name: "x"}))
    answer.done(201)
    assert "X-Evil" not in answer.headers
    assert "\n" not in answer.headers["Warning"]
    assert len(answer.headers["Warning"]) < 2000


@pytest.mark.parametrize("mode", ["Warn", "Strict"])
def test_many_unknown_fields_make_no_long_answer(admin: Api, mode: str) -> None:
    many: dict[str, Any] = {f"field{number}": 1 for number in range(20_000)}
    answer = admin.post(f"{ACCOUNTS}?fieldValidation={mode}", an_account(**many))
    assert answer.code == (201 if mode == "Warn" else 400)
    assert len(answer.raw) < 10_000
    assert len(answer.headers.get("Warning", "")) < 8_000
    assert b"more" in answer.raw or "more" in answer.headers["Warning"]


@pytest.mark.parametrize("mode", ["strict", "Off", "%00"])
def test_another_mode_is_refused(admin: Api, mode: str) -> None:
    with nothing_changes():
        admin.post(f"{ACCOUNTS}?fieldValidation={mode}", an_account()).refused(400, "BadRequest")


@pytest.mark.parametrize(
    "metadata",
    [
        {"generation": "1"}, {"creationTimestamp": "yesterday"}, {"managedFields": {}}, {"uid": 5},
        {"finalizers": "x"}, {"ownerReferences": [1]}, {"labels": {"a": ["b"]}}, {"deletionTimestamp": 0},
    ],
)  # fmt: skip
def test_metadata_of_the_wrong_type_is_refused_even_where_it_is_the_servers(
    admin: Api, organization: Organization, metadata: dict[str, Any]
) -> None:
    manifest = an_account()
    manifest["metadata"] |= metadata
    with nothing_changes():
        admin.post(ACCOUNTS, manifest).refused(400, "BadRequest")


def test_a_field_that_is_null_is_as_one_that_is_not_there(admin: Api, organization: Organization) -> None:
    manifest = an_account()
    manifest["metadata"] |= {"creationTimestamp": None, "generateName": None, "labels": {"a": None}}
    manifest |= {"status": None}
    manifest["spec"]["displayName"] = None
    made = admin.post(ACCOUNTS, manifest).done(201)
    assert "labels" not in made["metadata"]
    assert "displayName" not in made["spec"]


def test_a_status_that_is_no_object_and_a_name_that_is_empty_are_refused(
    admin: Api, organization: Organization
) -> None:
    manifest = an_account()
    with nothing_changes():
        admin.post(ACCOUNTS, manifest | {"status": 5}).refused(400, "BadRequest")
        manifest["metadata"] |= {"name": "", "generateName": "us-"}
        admin.post(ACCOUNTS, manifest).refused(422, "Invalid")
