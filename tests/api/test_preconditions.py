"""If-Match and If-None-Match of writes."""

from typing import Any

import pytest

from projects.models import Organization
from tests.api.client import ACCOUNTS, JSON_PATCH, MERGE_PATCH, Api, nothing_changes
from tests.api.test_representations import FORMS
from tests.support import make

US = f"{ACCOUNTS}/us"
APPLY, STRATEGIC = "application/apply-patch+yaml", "application/strategic-merge-patch+json"
LABEL = {"metadata": {"labels": {"tier": "gold"}}}
APPLIED = {"apiVersion": "billing.milo.io/v1alpha1", "kind": "BillingAccount", **LABEL}
PATCHES: dict[str, Any] = {
    MERGE_PATCH: LABEL,
    STRATEGIC: LABEL,
    "application/json": LABEL,
    JSON_PATCH: [{"op": "add", "path": "/metadata/labels", "value": {"tier": "gold"}}],
    APPLY: APPLIED,
}


@pytest.fixture
def us(organization: Organization) -> str:
    make.a_ready_account(organization, "us")
    return US


@pytest.mark.parametrize("form", FORMS)
def test_the_tag_of_any_representation_names_the_revision(admin: Api, us: str, form: str) -> None:
    tag = admin.get(us, accept=FORMS[form]).headers["ETag"]
    assert admin.patch(us, LABEL, if_match=tag).done()["metadata"]["labels"] == {"tier": "gold"}
    with nothing_changes():
        admin.patch(us, {"metadata": {"labels": None}}, if_match=tag).refused(412, "PreconditionFailed")


@pytest.mark.parametrize("kind", PATCHES)
def test_a_weak_tag_never_matches_strongly(admin: Api, us: str, kind: str) -> None:
    read = admin.get(us)
    tag = read.headers["ETag"]
    query = "?fieldManager=me"
    with nothing_changes():
        for sent in (f"W/{tag}", f'"1", W/{tag}', "W/*", tag.strip('"'), "", "*, *"):
            admin.patch(us + query, PATCHES[kind], kind, if_match=sent).refused(412, "PreconditionFailed")
            admin.put(us, read.json, if_match=sent).refused(412, "PreconditionFailed")
    assert admin.patch(us + query, PATCHES[kind], kind, if_match=f"W/{tag}, {tag}").code == 200


@pytest.mark.parametrize("kind", PATCHES)
def test_if_none_match_keeps_a_write_off_what_is_there(admin: Api, us: str, kind: str) -> None:
    read = admin.get(us)
    tag = read.headers["ETag"]
    query = "?fieldManager=me"
    with nothing_changes():
        for sent in ("*", tag, f"W/{tag}", f'"1", {tag}', "nonsense"):
            admin.patch(us + query, PATCHES[kind], kind, if_none_match=sent).refused(412, "PreconditionFailed")
            admin.put(us, read.json, if_none_match=sent).refused(412, "PreconditionFailed")
    assert admin.patch(us + query, PATCHES[kind], kind, if_none_match='"1"').code == 200


def test_apply_makes_with_if_none_match_and_never_with_if_match(admin: Api, us: str) -> None:
    manifest = {**APPLIED, "spec": {"currencyCode": "EUR"}}
    path = f"{ACCOUNTS}/eu?fieldManager=me"
    with nothing_changes():
        for sent in ("*", '"1"'):
            admin.patch(path, manifest, APPLY, if_match=sent).refused(412, "PreconditionFailed")
    admin.patch(path, manifest, APPLY, if_none_match="*").done(201)
    with nothing_changes():
        admin.patch(path, manifest, APPLY, if_none_match="*").refused(412, "PreconditionFailed")


def test_what_is_foreign_is_missing_whatever_is_expected_of_it(stranger: Api, us: str) -> None:
    with nothing_changes():
        for headers in ({"if_match": "*"}, {"if_none_match": "*"}, {"if_match": "nonsense"}):
            stranger.patch(us, LABEL, **headers).refused(404, "NotFound")
