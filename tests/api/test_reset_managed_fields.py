"""Who manages which field is forgotten by a list of one empty entry."""

from typing import Any

import pytest

from billing.models import BillingAccount
from projects.models import Organization
from tests.api.client import ACCOUNTS, JSON_PATCH, MERGE_PATCH, Api, nothing_changes
from tests.api.examples import an_account
from tests.support import make

PATH = f"{ACCOUNTS}/us"
APPLY_PATCH = "application/apply-patch+yaml"
EMPTY: list[dict[str, Any]] = [{}]


def applied(api: Api, manager: str, currency: str) -> Any:
    manifest = an_account("us", currencyCode=currency, paymentTerms=None, paymentProfile=None)
    return api.patch(f"{PATH}?fieldManager={manager}", manifest, APPLY_PATCH)


@pytest.fixture
def managed(admin: Api, organization: Organization) -> dict[str, Any]:
    """An account of which the manager `first` owns the currency."""
    make.an_incomplete_account(organization, "us")
    manifest: dict[str, Any] = applied(admin, "first", "USD").done()
    assert manifest["metadata"]["managedFields"]
    return manifest


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [
        (MERGE_PATCH, {"metadata": {"managedFields": EMPTY}}),
        ("application/strategic-merge-patch+json", {"metadata": {"managedFields": EMPTY}}),
        (JSON_PATCH, [{"op": "replace", "path": "/metadata/managedFields", "value": EMPTY}]),
    ],
)
def test_a_patch_resets_them(admin: Api, managed: dict[str, Any], content_type: str, patch: Any) -> None:
    done = admin.patch(PATH, patch, content_type).done()
    assert "managedFields" not in done["metadata"]
    assert done["spec"] == managed["spec"]
    assert BillingAccount.objects.get().managed_fields == []


def test_a_replacement_resets_them(admin: Api, managed: dict[str, Any]) -> None:
    done = admin.put(PATH, {**managed, "metadata": {**managed["metadata"], "managedFields": EMPTY}}).done()
    assert "managedFields" not in done["metadata"]


@pytest.mark.parametrize("value", [None, []])
def test_an_empty_list_resets_nothing(admin: Api, managed: dict[str, Any], value: Any) -> None:
    with nothing_changes():
        admin.put(PATH, {**managed, "metadata": {**managed["metadata"], "managedFields": value}}).done()
        admin.patch(PATH, {"metadata": {"managedFields": value}}, MERGE_PATCH).done()
    assert BillingAccount.objects.get().managed_fields == managed["metadata"]["managedFields"]


def test_who_owned_a_field_is_asked_no_more(admin: Api, managed: dict[str, Any]) -> None:
    owner = '"first" using'
    assert owner in applied(admin, "second", "EUR").refused(409, "Conflict")["message"]
    admin.patch(PATH, {"metadata": {"managedFields": EMPTY}}, MERGE_PATCH).done()
    # a field of which nobody is known to be the manager may still need force, but not for the sake of `first`
    again = applied(admin, "second", "EUR").json
    assert owner not in again.get("message", "")
    managers = {entry["manager"] for entry in again["metadata"].get("managedFields", [])}
    assert "first" not in managers
