"""Affiliations over HTTP: create, list, watch, cancel, and where an account stands among others."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.models import BillingAccount
from billing.services.affiliations.scopes import SCOPES
from billing.tasks import announce_standing
from milo.errors import Invalid
from projects.models import Organization
from tests.api.access_matrix import ACCOUNT, BINDING, PROJECT, ROUTES
from tests.api.client import ACCOUNTS, BILLING, Answer, Api, streamed
from tests.support import make
from tests.support.affiliations import an_affiliation, month
from tests.support.usage import an_event, taken

AFFILIATIONS = f"{BILLING}/namespaces/acme-corp/billingaccountaffiliations"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.fixture(autouse=True)
def accounts(organization: Organization) -> list[BillingAccount]:
    return [make.a_ready_account(organization, name) for name in ("group", "eu", "de")]


def manifest(name: str = "eu-under-group", **spec: Any) -> dict[str, Any]:
    full = {
        "billingAccountRef": {"name": "eu"},
        "parentRef": {"name": "group"},
        "reason": "One invoice for the group",
        **spec,
    }
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "BillingAccountAffiliation",
        "metadata": {"name": name},
        "spec": {key: value for key, value in full.items() if value is not None},
    }


def test_a_plan_is_created_shown_listed_and_cancelled(admin: Api) -> None:
    made = admin.post(AFFILIATIONS, manifest()).done(201)
    assert made["spec"] == manifest()["spec"] | {"payer": "Parent", "effectiveFrom": f"{month(1):%Y-%m}"}
    assert made["status"]["phase"] == "Scheduled"
    assert [(each["type"], each["status"]) for each in made["status"]["conditions"]] == [
        ("WillTakeEffect", "True"),
        ("TakenEffect", "False"),
    ]
    selector = "fieldSelector=spec.billingAccountRef.name=eu,spec.parentRef.name=group,status.phase=Scheduled"
    table = admin.get(f"{AFFILIATIONS}?{selector}", accept=TABLE).done()
    assert [column["name"] for column in table["columnDefinitions"]][:6] == [
        "Name", "Child", "Parent", "Payer", "From", "Phase",
    ]  # fmt: skip
    assert [row["cells"][:6] for row in table["rows"]] == [
        ["eu-under-group", "eu", "group", "Parent", f"{month(1):%Y-%m}", "Scheduled"]
    ]
    refused = admin.delete(f"{AFFILIATIONS}/eu-under-group").refused(405, "MethodNotAllowed")
    assert "cancel the plan, or create one that supersedes it" in refused["message"]
    done = admin.post(f"{AFFILIATIONS}/eu-under-group/cancel", {"spec": {"reason": "put off"}}).done()
    assert done["status"]["phase"] == "Cancelled"
    assert done["status"]["conditions"][0]["message"] == "put off"


def test_a_plan_names_the_one_that_it_cancelled(admin: Api) -> None:
    assert "insteadOf" not in admin.post(AFFILIATIONS, manifest("older")).json["status"]
    newer = admin.post(AFFILIATIONS, manifest("newer", payer="Self")).json
    assert newer["status"]["insteadOf"] == {"name": "older"}
    older = admin.get(f"{AFFILIATIONS}/older").json
    assert older["status"]["conditions"][0]["message"] == "newer was planned instead"


def test_a_fact_shows_on_both_accounts_and_on_no_other(admin: Api) -> None:
    before = admin.get(f"{ACCOUNTS}/de").done()
    assert "hierarchy" not in before["status"]
    fact = admin.post(AFFILIATIONS, manifest(effectiveFrom=f"{month():%Y-%m}")).done(201)
    assert (fact["status"]["phase"], fact["status"]["payerOfRecord"]) == ("Active", {"name": "group"})
    eu, group = (admin.get(f"{ACCOUNTS}/{name}").done()["status"]["hierarchy"] for name in ("eu", "group"))
    assert eu == {"parent": {"name": "group"}, "payerOfRecord": {"name": "group"}, "depth": 2, "subAccountsCount": 0}
    assert group == {"payerOfRecord": {"name": "group"}, "depth": 1, "subAccountsCount": 1}
    assert admin.get(f"{ACCOUNTS}/de").done() == before
    table = admin.get(ACCOUNTS, accept=TABLE).done()
    wide = [column["name"] for column in table["columnDefinitions"]].index("Payer")
    assert {row["cells"][0]: row["cells"][wide] for row in table["rows"]} == {"de": "", "eu": "group", "group": "group"}


def readings_of(account: str, project: str, binding: str) -> list[str]:
    """Every address that reads an account, a project or a binding, by the routes, and the lists that name it alone."""
    addresses = []
    for route, name in ((ACCOUNT, account), (PROJECT, project), (BINDING, binding)):
        addresses.append(f"/{route.removesuffix('/<str:name>')}?fieldSelector=metadata.name={name}")
        for each, cases in ROUTES.items():
            if (each == route or each.startswith(f"{route}/")) and "GET" in cases:
                query = f"?{cases['GET'].query}" if cases["GET"].query else ""
                addresses.append(f"/{each}{query}".replace("<str:name>", name))
    scoped = [f"{ACCOUNTS}/{account}/{reading}?scope={scope}" for reading in ("usage", "projects") for scope in SCOPES]
    return [address.replace("<str:namespace>", "acme-corp") for address in addresses] + scoped


def test_an_account_without_affiliation_stays_as_it_is_to_the_byte(
    admin: Api, organization: Organization, accounts: list[BillingAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    group, eu, de = accounts
    shop = make.a_project(organization, "shop")
    make.a_binding(shop, de, "shop-to-de")
    taken(an_event(shop))
    addresses = readings_of("de", "shop", "shop-to-de")
    stranger, later = Api.of(make.a_person()), timezone.now() + timedelta(hours=1)
    ways = [(admin, "application/json"), (admin, TABLE), (stranger, "application/json")]

    def body(answer: Answer) -> bytes:
        return streamed(answer.response) if answer.response.streaming else answer.raw

    def answers() -> list[tuple[str, int, bytes]]:
        """What is answered at one instant, without the revision of a list, which is that of the whole change log."""
        with monkeypatch.context() as clock:
            clock.setattr(timezone, "now", lambda: later)
            asked = [(address, api.get(address, accept=form)) for address in addresses for api, form in ways]
        version = rb'"metadata":{"resourceVersion":"[0-9]+"}'
        return [(address, answer.code, re.sub(version, b"", body(answer))) for address, answer in asked]

    before = answers()
    assert {(address, code) for address, code, _text in before[:: len(ways)]} == {(each, 200) for each in addresses}
    an_affiliation(eu, group)
    make.in_phase(group, "Suspended")
    announce_standing()
    assert answers() == before
    status = admin.get(f"{ACCOUNTS}/de").done()["status"]
    assert list(status) == ["phase", "conditions", "linkedProjectsCount"]
    assert {each["type"] for each in status["conditions"]} == {"Ready"}
    # a parent has its place in the hierarchy, and its own terms and profile
    assert set(admin.get(f"{ACCOUNTS}/group").done()["status"]) == {*status, "hierarchy"}


def test_the_tree_is_read_level_by_level_of_any_month_and_as_known_before(
    admin: Api, accounts: list[BillingAccount]
) -> None:
    group, eu, de = accounts
    before = timezone.now()
    an_affiliation(eu, group)
    an_affiliation(de, eu)
    tree = admin.get(f"{ACCOUNTS}/group/hierarchy").done()
    assert [(item["account"], item.get("parent"), item["depth"], item["payerOfRecord"]) for item in tree["items"]] == [
        ("group", None, 1, "group"),
        ("eu", "group", 2, "group"),
        ("de", "eu", 3, "group"),
    ]
    page = admin.get(f"{ACCOUNTS}/group/hierarchy?limit=2").done()
    rest = admin.get(f"{ACCOUNTS}/group/hierarchy?limit=2&continue={page['metadata']['continue']}").done()
    assert [item["account"] for item in page["items"] + rest["items"]] == ["group", "eu", "de"]
    assert "metadata" not in rest
    assert len(admin.get(f"{ACCOUNTS}/group/hierarchy?depth=1").done()["items"]) == 2
    answer = admin.get(f"{ACCOUNTS}/de/payerofrecord").done()
    assert (answer["payerOfRecord"], answer["above"]) == ("group", ["eu", "group"])
    known = before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert admin.get(f"{ACCOUNTS}/de/payerofrecord?knownAt={known}").done()["payerOfRecord"] == "de"
    assert admin.get(f"{ACCOUNTS}/de/payerofrecord?at=2020-01").done()["payerOfRecord"] == "de"


def test_every_refusal_comes_at_once_with_its_field(admin: Api) -> None:
    refused = admin.post(AFFILIATIONS, manifest(billingAccountRef={"name": "none"}, parentRef={"name": "nor"}))
    causes = refused.refused(422, "Invalid")["details"]["causes"]
    assert {cause["field"] for cause in causes} == {"spec.billingAccountRef.name", "spec.parentRef.name"}
    admin.post(AFFILIATIONS, manifest(effectiveFrom="2027-13")).refused(422, "Invalid")


def test_a_used_account_is_affiliated_by_an_approved_request(
    admin: Api, organization: Organization, accounts: list[BillingAccount]
) -> None:
    make.a_binding(make.a_project(organization), accounts[1])
    refused = admin.post(AFFILIATIONS, manifest()).refused(422, "Invalid")
    assert "ask for act Affiliate" in refused["message"]
    request = admin.post(
        f"{BILLING}/namespaces/acme-corp/approvalrequests",
        {
            "apiVersion": "billing.milo.io/v1alpha1",
            "kind": "ApprovalRequest",
            "metadata": {"name": "eu-under-group"},
            "spec": {
                "billingAccountRef": {"name": "eu"},
                "action": "Affiliate",
                "justification": "one invoice",
                "proposal": {"parentRef": {"name": "group"}, "payer": "Parent"},
            },
        },
    ).done(201)
    (account,) = request["status"]["reviewed"]["accounts"]
    assert (account["name"], account["before"]["payerOfRecord"], account["after"]["payerOfRecord"]) == (
        "eu",
        "eu",
        "group",
    )
    assert request["status"]["reviewed"]["projectsCount"] == 1
    approver = Api.of(make.a_person(groups=("finance-approver",)))
    body = {"spec": {"reviewedHash": request["status"]["reviewedHash"]}}
    approver.post(f"{BILLING}/namespaces/acme-corp/approvalrequests/eu-under-group/approve", body).done()
    plan = admin.get(f"{AFFILIATIONS}/eu-under-group").done()
    assert (plan["status"]["phase"], plan["spec"]["reason"]) == ("Scheduled", "one invoice")


def test_a_request_that_is_refused_names_the_fields_of_its_proposal(accounts: list[BillingAccount]) -> None:
    proposal = {"parentRef": {"name": "none"}, "payer": "Parent"}
    with pytest.raises(Invalid) as refusal:
        make.a_request(accounts[1], "Affiliate", proposal=proposal)
    assert [cause.field for cause in refusal.value.causes] == ["spec.proposal.parentRef.name"]
    late = {"parentRef": {"name": "group"}, "effectiveFrom": f"{month(13):%Y-%m}"}
    with pytest.raises(Invalid) as refusal:
        make.a_request(accounts[1], "Affiliate", proposal=late)
    assert [cause.field for cause in refusal.value.causes] == ["spec.proposal.effectiveFrom"]
