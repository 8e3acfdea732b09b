"""Payer changes over HTTP: create, preview, watch, read the outcome of each project, cancel and retry."""

from datetime import timedelta
from datetime import timezone as dt_timezone
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import BillingAccount, PayerChange
from billing.services.payer_changes import facts
from billing.services.payer_changes.facts import move_due
from billing.services.payer_locks import lock_payer
from billing.services.suspensions import suspend
from billing.services.usage import locks
from projects.models import Organization
from tests.api.client import BILLING, BINDINGS, PROJECTS, Api, nothing_changes
from tests.support import make
from tests.support.payer_changes import Travel, a_payer_change, travel
from tests.support.usage import an_event, taken

__all__ = ["travel"]
CHANGES = f"{BILLING}/namespaces/acme-corp/payerchanges"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"


@pytest.fixture(autouse=True)
def accounts(organization: Organization) -> tuple[BillingAccount, BillingAccount]:
    """Accounts `eu`, which pays for shop, search and mail, and `emea`."""
    eu, emea = make.a_ready_account(organization, "eu", currency_code="EUR"), make.a_ready_account(organization, "emea")
    for name in ("shop", "search", "mail"):
        make.a_binding(make.a_project(organization, name), eu, f"{name}-first")
    return eu, emea


def a_change(name: str = "eu-to-emea", **spec: Any) -> dict[str, Any]:
    full = {
        "projects": ["shop", "search"],
        "toAccountRef": {"name": "emea"},
        "effectiveAt": (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "EU department moves to EMEA",
        **spec,
    }
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "PayerChange",
        "metadata": {"name": name},
        "spec": {key: value for key, value in full.items() if value is not None},
    }


def test_a_plan_is_created_shown_and_listed(admin: Api) -> None:
    sent = a_change()
    made = admin.post(CHANGES, sent).done(201)
    assert made["spec"] == {**sent["spec"], "atomic": False}
    assert made["status"]["phase"] == "Scheduled"
    assert made["status"]["counts"] == {"total": 2, "pending": 2, "done": 0, "failed": 0, "cancelled": 0}
    assert [(each["type"], each["status"]) for each in made["status"]["conditions"]] == [
        ("WillTakeEffect", "True"),
        ("Complete", "False"),
    ]
    assert "preview" not in made["status"]
    assert admin.get(f"{CHANGES}/eu-to-emea").done() == made
    table = admin.get(CHANGES, accept=TABLE).done()
    (row,) = table["rows"]
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names[:7] == ["Name", "To", "Effective", "Phase", "Projects", "Done", "Failed"]
    assert row["cells"][:7] == ["eu-to-emea", "emea", made["status"]["effectiveAt"], "Scheduled", 2, 0, 0]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("spec.toAccountRef.name=emea", ["away"]),
        ("spec.toAccountRef.name=eu", []),
        ("status.phase=Scheduled", ["away"]),
        ("status.phase!=Scheduled", []),
    ],
)
def test_lists_are_selected_by_target_and_phase(admin: Api, selector: str, names: list[str]) -> None:
    admin.post(CHANGES, a_change("away")).done(201)
    assert admin.get(f"{CHANGES}?fieldSelector={selector}").names() == names


def test_the_same_again_already_exists_and_its_spec_is_immutable(admin: Api) -> None:
    made = admin.post(CHANGES, a_change()).done(201)
    with nothing_changes():
        admin.post(CHANGES, a_change()).refused(409, "AlreadyExists")
        admin.patch(f"{CHANGES}/eu-to-emea", {"spec": {"reason": "another"}}).refused(422, "Invalid")
        refusal = admin.delete(f"{CHANGES}/eu-to-emea").refused(405, "MethodNotAllowed")
    assert "cancel it" in refusal["message"]
    labelled = admin.patch(f"{CHANGES}/eu-to-emea", {"metadata": {"labels": {"team": "web"}}}).done()
    assert labelled["metadata"]["labels"] == {"team": "web"}
    assert labelled["spec"] == made["spec"]


def test_apply_creates_it_and_applied_again_changes_nothing(admin: Api) -> None:
    sent = a_change()
    path = f"{CHANGES}/eu-to-emea?fieldManager=kubectl"
    made = admin.patch(path, sent, APPLY).done(201)
    with nothing_changes():
        assert admin.patch(path, sent, APPLY).done() == made


def test_a_repeat_with_its_idempotency_key_is_answered_as_the_first(admin: Api) -> None:
    sent = a_change(effectiveAt=None)
    first = admin.post(CHANGES, sent, idempotency_key="a-key").done(201)
    move_due()
    again = admin.post(CHANGES, sent, idempotency_key="a-key").done(201)
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    assert PayerChange.objects.count() == 1


def test_faults_are_named_by_field(admin: Api) -> None:
    with nothing_changes():
        answer = admin.post(CHANGES, a_change(projects=["shop", "nothing"], effectiveAt="2020-01-01T00:00:00Z"))
    answer.refused(422, "Invalid")
    assert answer.causes() == {
        "spec.projects[1]": "there is no project nothing in this organization",
        "spec.effectiveAt": "must be in the future",
    }
    for spec, field in (
        ({"effectiveAt": "tomorrow"}, "spec.effectiveAt"),
        ({"projects": "shop"}, "spec.projects"),
        ({"atomic": "yes"}, "spec.atomic"),
        ({"reason": None}, "spec.reason"),
        ({"projects": None, "projectSelector": {}}, "spec.projectSelector.matchLabels"),
        ({"fromAccountRef": {"name": "eu"}}, "spec.projects"),
    ):
        with nothing_changes():
            refusal = admin.post(CHANGES, a_change(**spec))
        refusal.refused(422, "Invalid")
        assert field in refusal.causes()


def test_a_dry_run_previews_what_would_move_and_writes_nothing(admin: Api, organization: Organization) -> None:
    shop = organization.projects.get(name="shop")
    taken(an_event(shop, "2.5"))
    unbound = make.a_project(organization, "new")
    with nothing_changes():
        shown = admin.post(f"{CHANGES}?dryRun=All", a_change(projects=["shop", "search", unbound.name])).done(201)
    preview = shown["status"]["preview"]
    assert preview["projects"] == 3
    assert preview["payers"] == [{"account": "eu", "projects": 2}]
    assert (preview["unboundCount"], preview["unbound"]) == (1, ["new"])
    assert (preview["currencies"], preview["currencyAfter"]) == (["EUR"], "USD")
    (usage,) = preview["usage"]
    assert (usage["last30Days"], usage["presentMonth"]) == ("2.5", "2.5")
    with nothing_changes():
        binding = {"projectRef": {"name": "shop"}, "billingAccountRef": {"name": "emea"}}
        bound = admin.post(f"{BINDINGS}?dryRun=All", {**a_binding("second"), "spec": binding}).done(201)
    assert bound["status"]["preview"]["payers"] == [{"account": "eu", "projects": 1}]
    assert bound["status"]["preview"]["usage"] == [usage]


def a_binding(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "BillingAccountBinding",
        "metadata": {"name": name},
    }


def test_the_preview_stays_fresh_and_names_what_is_not_included(admin: Api, organization: Organization) -> None:
    admin.post(CHANGES, a_change(projects=None, fromAccountRef={"name": "eu"})).done(201)
    eu, emea = (organization.billing_accounts.get(name=name) for name in ("eu", "emea"))
    make.a_binding(make.a_project(organization, "late"), eu)
    suspend(emea.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    preview = admin.get(f"{CHANGES}/eu-to-emea/preview").done()
    assert (preview["projects"], preview["notIncluded"], preview["notIncludedCount"]) == (3, ["late"], 1)
    assert preview["obstacle"] == "billing account emea is Suspended, not Ready: under review"


def test_what_is_planned_is_shown_on_the_project(admin: Api, travel: Travel) -> None:
    made = admin.post(CHANGES, a_change()).done(201)
    planned = {"account": "emea", "at": made["status"]["effectiveAt"], "payerChange": "eu-to-emea"}
    shop = admin.get(f"{PROJECTS}/shop").done()["status"]["billingResponsibility"]
    assert (shop["account"], shop["planned"]) == ("eu", planned)
    assert admin.get(f"{PROJECTS}/shop/plannedpayer").done() == {"project": "shop", **planned}
    assert admin.get(f"{PROJECTS}/mail/plannedpayer").done() == {"project": "mail"}
    listed = {each["metadata"]["name"]: each for each in admin.get(PROJECTS).done()["items"]}
    assert listed["search"]["status"]["billingResponsibility"]["planned"] == planned
    assert "planned" not in listed["mail"]["status"]["billingResponsibility"]
    travel(timedelta(days=1))
    move_due()
    shop = admin.get(f"{PROJECTS}/shop").done()["status"]["billingResponsibility"]
    assert shop == {"account": "emea", "establishedAt": made["status"]["effectiveAt"]}


def test_items_say_what_became_of_each_project_in_pages_and_as_csv(
    admin: Api, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "BATCH", 1)
    # with one lock projects move in the order of their keys
    monkeypatch.setattr(locks, "BUCKETS", 1)
    admin.post(CHANGES, a_change(effectiveAt=None)).done(201)
    facts.move_batch(PayerChange.objects.get().pk)
    first = admin.get(f"{CHANGES}/eu-to-emea/items?limit=1").done()
    token = first["metadata"]["continue"]
    second = admin.get(f"{CHANGES}/eu-to-emea/items?limit=1&continue={token}").done()
    assert "metadata" not in second
    assert [(each["project"], each["phase"]) for each in first["items"] + second["items"]] == [
        ("shop", "Done"),
        ("search", "Pending"),
    ]
    assert first["items"][0]["binding"] == "eu-to-emea-shop"
    done = admin.get(f"{CHANGES}/eu-to-emea/items?phase=Done").done()
    assert [each["project"] for each in done["items"]] == ["shop"]
    lines = admin.get(f"{CHANGES}/eu-to-emea/items", accept="text/csv").raw.decode().splitlines()
    assert [line.split(",")[:2] for line in lines] == [["project", "phase"], ["shop", "Done"], ["search", "Pending"]]
    for bad in (token[:-3], "none"):
        refusal = admin.get(f"{CHANGES}/eu-to-emea/items?continue={bad}")
        assert refusal.code in (410, 422)
    admin.get(f"{CHANGES}/eu-to-emea/items?phase=Nothing").refused(422, "Invalid")


def test_cancel_and_retry(admin: Api, organization: Organization, travel: Travel) -> None:
    admin.post(CHANGES, a_change()).done(201)
    part = admin.post(f"{CHANGES}/eu-to-emea/cancel", {"spec": {"reason": "not yet", "projects": ["search"]}}).done()
    assert part["status"]["counts"] == {"total": 2, "pending": 1, "done": 0, "failed": 0, "cancelled": 1}
    emea = organization.billing_accounts.get(name="emea")
    make.in_phase(emea, "Incomplete")
    travel(timedelta(days=1))
    move_due()
    failed = admin.get(f"{CHANGES}/eu-to-emea").done()
    assert (failed["status"]["phase"], failed["status"]["counts"]["failed"]) == ("Failed", 1)
    BillingAccount.objects.filter(pk=emea.pk).update(phase="Ready")
    with nothing_changes():
        admin.post(f"{CHANGES}/eu-to-emea/retry", {"spec": {}}).refused(422, "Invalid")
    retried = admin.post(f"{CHANGES}/eu-to-emea/retry", {"spec": {"reason": "complete now"}}).done()
    assert retried["status"]["phase"] == "InProgress"
    move_due()
    ended = admin.get(f"{CHANGES}/eu-to-emea").done()
    assert ended["status"]["phase"] == "Completed"
    assert ended["status"]["conditions"][0]["message"] == "1 of 2 projects moved, 0 failed, 1 were cancelled"


def test_a_list_takes_the_same_number_of_queries_however_long(admin: Api, organization: Organization) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin.get(CHANGES).done()
            admin.get(PROJECTS).done()
        return len(captured)

    emea = organization.billing_accounts.get(name="emea")
    admin.post(CHANGES, a_change()).done(201)
    queries()
    before = queries()
    for _ in range(3):
        a_payer_change(emea, make.a_project(organization))
    assert queries() == before


@pytest.mark.parametrize("reading", ["items", "preview"])
def test_a_reading_takes_the_same_number_of_queries_for_any_number_of_projects(
    reading: str, admin: Api, organization: Organization
) -> None:
    emea, eu = (organization.billing_accounts.get(name=name) for name in ("emea", "eu"))
    counted = []
    for name, count in (("few", 2), ("many", 7)):
        projects = [make.a_project(organization) for _ in range(2 * count)]
        for project in projects[:count]:
            make.a_binding(project, eu)
        a_payer_change(emea, *projects, name=name)
        for project in projects[: count // 2]:
            lock_payer(project.pk, reason="regulated workload", actor=make.PLATFORM)
        admin.get(f"{CHANGES}/{name}/{reading}").done()
        with CaptureQueriesContext(connection) as captured:
            admin.get(f"{CHANGES}/{name}/{reading}").done()
        counted.append(len(captured))
    assert counted[0] == counted[1]


def test_a_manifest_says_the_phase_of_the_target_at_once(admin: Api, organization: Organization) -> None:
    admin.post(CHANGES, a_change()).done(201)
    make.in_phase(organization.billing_accounts.get(name="emea"), "Suspended")
    condition = admin.get(f"{CHANGES}/eu-to-emea").done()["status"]["conditions"][0]
    assert (condition["type"], condition["status"]) == ("WillTakeEffect", "False")


def test_others_see_nothing_of_it(admin: Api, viewer: Api, stranger: Api) -> None:
    admin.post(CHANGES, a_change()).done(201)
    viewer.get(f"{CHANGES}/eu-to-emea").done()
    with nothing_changes():
        viewer.post(f"{CHANGES}/eu-to-emea/cancel", {"spec": {"reason": "no"}}).refused(403, "Forbidden")
        stranger.get(f"{CHANGES}/eu-to-emea").refused(404, "NotFound")
        stranger.post(f"{CHANGES}/eu-to-emea/cancel", {"spec": {"reason": "no"}}).refused(404, "NotFound")


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"effectiveAt": "2026-12-31T23:59:60Z"}, "spec.effectiveAt", "must be an instant"),
        ({"effectiveAt": "2027-02-01T00:00:00"}, "spec.effectiveAt", "must be an instant"),
        ({"effectiveAt": "9999-12-31T23:59:59Z"}, "spec.effectiveAt", "is more than 1 year ahead"),
        ({"effectiveAt": "9999-12-31T23:59:59-23:59"}, "spec.effectiveAt", "must be an instant"),
        ({"projects": []}, "spec.projects", "is required"),
        ({"projects": ["shop", "shop"]}, "spec.projects[1]", "names project shop a second time"),
        ({"projects": ["sh\u00f6p"]}, "spec.projects[0]", "there is no project sh\u00f6p in this organization"),
        ({"projects": ["x"] * 10_001}, "spec.projects", ""),
        ({"projects": None, "projectSelector": {"matchLabels": {}}}, "spec.projectSelector.matchLabels", ""),
    ],
)
def test_a_spec_at_the_edge_is_refused_at_its_field(admin: Api, spec: dict[str, Any], field: str, message: str) -> None:
    refusal = admin.post(CHANGES, a_change(**spec)).refused(422, "Invalid")
    causes = {cause["field"]: cause["message"] for cause in refusal["details"]["causes"]}
    assert set(causes) == {field}, causes
    assert message in causes[field]


def test_an_instant_is_kept_to_the_microsecond_whatever_its_offset(admin: Api) -> None:
    at = (timezone.now() + timedelta(days=1)).replace(microsecond=123456)
    sent = at.astimezone(dt_timezone(timedelta(hours=5, minutes=45))).isoformat()
    made = admin.post(CHANGES, a_change(effectiveAt=sent)).done(201)
    assert made["status"]["effectiveAt"] == f"{at:%Y-%m-%dT%H:%M:%S}.123456Z"


def test_an_empty_list_of_projects_cancels_nothing(admin: Api) -> None:
    admin.post(CHANGES, a_change()).done(201)
    with nothing_changes():
        refusal = admin.post(f"{CHANGES}/eu-to-emea/cancel", {"spec": {"reason": "no", "projects": []}})
        assert refusal.refused(422, "Invalid")["details"]["causes"][0]["field"] == "spec.projects"
    with nothing_changes():
        admin.post(f"{CHANGES}/eu-to-emea/cancel?dryRun=All", {"spec": {"reason": "no"}}).done()


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("application/merge-patch+json", {"spec": {"atomic": True}}),
        ("application/strategic-merge-patch+json", {"spec": {"projects": ["mail"]}}),
        ("application/json-patch+json", [{"op": "remove", "path": "/spec/projects/1"}]),
        ("application/json-patch+json", [{"op": "remove", "path": "/spec/effectiveAt"}]),
        (APPLY, a_change() | {"spec": {"projects": ["mail"], "toAccountRef": {"name": "emea"}, "reason": "x"}}),
    ],
)
def test_no_patch_changes_the_spec(admin: Api, kind: str, patch: Any) -> None:
    admin.post(CHANGES, a_change()).done(201)
    query = "?fieldManager=me&force=true" if kind == APPLY else ""
    with nothing_changes():
        assert admin.patch(f"{CHANGES}/eu-to-emea{query}", patch, kind).code in (415, 422)
