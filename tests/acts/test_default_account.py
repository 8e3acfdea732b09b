"""A default account: new projects have a payer from the first instant or wait for it; existing ones stay."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, BillingAccountBinding, DefaultAccount, Suspension
from billing.models.default_account import PAYER_ANNOTATION
from billing.reason_codes import EVIDENCE
from billing.services import default_accounts
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.closures import blockers
from billing.services.default_accounts import ANNOTATION_FIELD, DEFAULT_FIELD, set_default
from billing.services.projects import archive_project
from billing.services.suspensions import resolve
from billing.tasks import bind_to_default_accounts
from milo.access import Actor
from milo.celery import app
from milo.errors import Conflict, Forbidden, Invalid
from milo.kube.metadata import Metadata
from milo.kube.store.changes import version_of
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec
from projects.services.projects import ProjectSpec, create_project
from tests.support import make
from tests.support.ledger import (
    assert_history_explains,
    assert_timeline,
    assert_watchers_see,
    authors,
    causes_of,
    member,
    nothing_changes,
    refused,
    revisions,
    shown,
    staff,
)
from tests.support.payer_changes import a_payer_change

pytestmark = pytest.mark.django_db
OPERATOR = Actor("user:operator", frozenset({"finance-operator"}))


def set_to(organization: Organization, account: str, actor: Actor = OPERATOR) -> Organization:
    return set_default(organization.pk, OrganizationSpec(organization.display_name), account, actor=actor)


def created(organization: Organization, name: str = "shop", payer: str = "", actor: Actor = OPERATOR) -> Project:
    annotations = {PAYER_ANNOTATION: payer} if payer else {}
    return create_project(name, organization.pk, ProjectSpec(), Metadata({}, annotations), actor=actor)


def condition_of(project: Project) -> tuple[str, str, str]:
    (found,) = [it for it in shown(project)["status"]["conditions"] if it["type"] == "PayerAssigned"]
    return found["status"], found["reason"], found["message"]


def completed(account: BillingAccount) -> BillingAccount:
    return revise(account.pk, AccountSpec("", "USD", make.TERMS, make.CARD), actor=make.PLATFORM)


def reactivated(account: BillingAccount) -> None:
    suspension = Suspension.objects.get(account=account)
    evidence = dict.fromkeys(EVIDENCE[suspension.reason_code].references, "ref-1")
    resolve(account.pk, suspension.uid, evidence=evidence, actor=make.PLATFORM)
    make.an_approved(account, "Reactivate")


def test_a_new_project_is_bound_in_the_act_that_creates_it(organization: Organization, account: BillingAccount) -> None:
    set_to(organization, account.name)
    project = created(organization)
    (binding,) = assert_timeline(project)
    assert (binding.name, binding.account, binding.supersedes) == ("shop-default", account, None)
    assert binding.established_at == project.history.get().history_date
    assert [revision.reason for revision in revisions(binding)] == ["DefaultAccount"]
    assert [(revision.type, revision.reason) for revision in revisions(project)] == [("ADDED", "ProjectCreated")]
    assert revisions(account)[-1].reason == "ProjectLinked"
    assert shown(project)["status"]["billingResponsibility"]["account"] == account.name
    assert condition_of(project) == ("True", "PayerAssigned", f"{account.name} pays for the project")
    assert authors(binding) == {"user:operator"}
    for row in (project, binding, account):
        assert_watchers_see(row)
        assert_history_explains(row)


def test_who_may_create_projects_needs_no_right_to_bind_for_the_default(
    organization: Organization, account: BillingAccount
) -> None:
    set_to(organization, account.name)
    roles = {organization.pk: frozenset({"billing-user"})}
    scoped = Actor("user:pipeline", organizations=roles, scopes=frozenset({"projects"}))
    assert len(assert_timeline(created(organization, actor=scoped))) == 1
    with refused(Forbidden):
        created(organization, "another", account.name, actor=scoped)


def test_setting_it_has_a_history_and_is_a_revision_of_the_organization(
    organization: Organization, account: BillingAccount
) -> None:
    generation = organization.generation
    revised = set_to(organization, account.name)
    default = DefaultAccount.objects.get()
    assert (default.account, revised.generation) == (account, generation + 1)
    assert shown(organization)["spec"]["defaultBillingAccountRef"] == {"name": account.name}
    assert revisions(organization)[-1].reason == "OrganizationRevised"
    with nothing_changes():
        set_to(organization, account.name)
    set_to(organization, "")
    assert "defaultBillingAccountRef" not in shown(organization)["spec"]
    default.refresh_from_db()
    assert (default.account, default.since) == (None, None)
    assert default.history.count() == 2
    assert_history_explains(default)
    assert_watchers_see(organization)
    assert assert_timeline(created(organization)) == []


def test_projects_there_are_stay_unbound_and_are_counted_in_the_warning(
    organization: Organization, account: BillingAccount
) -> None:
    before = [make.a_project(organization) for _ in range(3)]
    make.a_binding(before[0], account)
    revised: Any = set_to(organization, account.name)
    assert ": 2. A default" in revised.unbound_warning
    assert f"spec.toAccountRef.name {account.name}" in revised.unbound_warning
    assert bind_to_default_accounts() == 0
    assert BillingAccountBinding.objects.count() == 1
    again: Any = set_to(organization, account.name)
    assert again.unbound_warning == ""


@pytest.mark.parametrize("phase", ["Closed", "Archived"])
def test_a_closed_account_is_refused(organization: Organization, account: BillingAccount, phase: str) -> None:
    make.in_phase(account, phase)
    with refused(Invalid, f"is {phase}") as refusal:
        set_to(organization, account.name)
    assert causes_of(refusal) == {DEFAULT_FIELD: "FieldValueInvalid"}


def test_a_foreign_account_looks_like_a_missing_one(organization: Organization) -> None:
    make.a_ready_account(make.an_organization(), "theirs")
    for name in ("theirs", "nowhere"):
        with refused(Invalid, f"there is no billing account {name} in this organization") as refusal:
            set_to(organization, name)
        assert causes_of(refusal) == {DEFAULT_FIELD: "FieldValueNotFound"}


def test_only_who_revises_the_organization_sets_it(organization: Organization, account: BillingAccount) -> None:
    for actor in (
        member(organization.pk, "billing-user"),
        member(organization.pk, "billing-viewer"),
        staff("auditor", "finance-approver"),
    ):
        with refused(Forbidden):
            set_to(organization, account.name, actor)
    set_to(organization, account.name, member(organization.pk, "billing-admin"))


def test_a_stale_revision_is_a_conflict(organization: Organization, account: BillingAccount) -> None:
    read = version_of(organization)
    set_to(organization, account.name)
    spec = OrganizationSpec(organization.display_name)
    with refused(Conflict):
        set_default(organization.pk, spec, "", actor=OPERATOR, resource_version=read)


@pytest.mark.parametrize("phase", ["Incomplete", "Suspended"])
def test_a_project_is_created_while_the_account_is_not_ready_and_bound_once_it_is(
    organization: Organization, account: BillingAccount, phase: str
) -> None:
    if phase == "Incomplete":
        account = make.an_incomplete_account(organization)
    else:
        make.in_phase(account, phase)
    set_to(organization, account.name)
    projects = [created(organization, name) for name in ("shop", "search")]
    status, reason, message = condition_of(projects[0])
    assert (status, reason) == ("False", "DefaultAccountNotReady")
    assert message.startswith(f"The default account {account.name} is {phase}, not Ready: ")
    with nothing_changes():
        assert bind_to_default_accounts() == 0
    if phase == "Incomplete":
        completed(account)
    else:
        reactivated(account)
    assert bind_to_default_accounts() == 2
    for project in projects:
        (binding,) = assert_timeline(project)
        assert (binding.name, binding.account) == (f"{project.name}-default", account)
        assert revisions(binding)[0].reason == "DefaultAccount"
        assert authors(binding) == {"system:default-account-sweep"}
        assert condition_of(project)[0] == "True"
        assert_watchers_see(project)
    with nothing_changes():
        assert bind_to_default_accounts() == 0


def test_the_sweep_goes_on_where_it_was_interrupted(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make.an_incomplete_account(organization)
    set_to(organization, account.name)
    projects = [created(organization, f"project-{number}") for number in range(3)]
    completed(account)
    real, calls = default_accounts._bind_one_waiting, list[int]()

    def dies(project_id: int) -> bool:
        calls.append(project_id)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(project_id)

    monkeypatch.setattr(default_accounts, "_bind_one_waiting", dies)
    with pytest.raises(KeyboardInterrupt):
        bind_to_default_accounts()
    assert BillingAccountBinding.objects.count() == 1
    assert bind_to_default_accounts() == 2
    assert all(len(assert_timeline(project)) == 1 for project in projects)


def test_what_was_bound_archived_or_left_out_meanwhile_is_not_swept_up(organization: Organization) -> None:
    account, other = make.an_incomplete_account(organization), make.a_ready_account(organization)
    set_to(organization, account.name)
    bound, archived, waiting = (created(organization, name) for name in ("bound", "archived", "waiting"))
    opted_out = created(organization, "alone", "none")
    make.a_binding(bound, other)
    archive_project(archived.pk, actor=make.PLATFORM)
    completed(account)
    assert bind_to_default_accounts() == 1
    assert BillingAccountBinding.objects.paying().get(project=bound).account == other
    assert len(assert_timeline(waiting)) == 1
    assert assert_timeline(archived) == assert_timeline(opted_out) == []


def test_what_is_planned_for_a_project_comes_before_the_default(organization: Organization) -> None:
    account, other = make.an_incomplete_account(organization), make.a_ready_account(organization)
    set_to(organization, account.name)
    planned, waiting = created(organization, "planned"), created(organization, "waiting")
    a_payer_change(other, planned)
    completed(account)
    assert bind_to_default_accounts() == 1
    assert assert_timeline(planned) == []
    assert len(assert_timeline(waiting)) == 1


def test_another_default_leaves_those_that_waited_for_the_one_before(organization: Organization) -> None:
    account, other = make.an_incomplete_account(organization), make.a_ready_account(organization)
    set_to(organization, account.name)
    project = created(organization)
    assert ": 1. A default" in str(getattr(set_to(organization, other.name), "unbound_warning", ""))
    set_to(organization, account.name)
    completed(account)
    assert bind_to_default_accounts() == 0
    assert assert_timeline(project) == []


def test_one_organization_that_fails_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    projects = []
    for _ in range(2):
        organization = make.an_organization()
        account = make.an_incomplete_account(organization)
        set_to(organization, account.name)
        projects.append(created(organization, make.a_name("shop")))
        completed(account)
    real = default_accounts._bind_waiting_of

    def fails(default: DefaultAccount) -> int:
        if default.organization_id == projects[0].organization_id:
            raise RuntimeError
        return real(default)

    monkeypatch.setattr(default_accounts, "_bind_waiting_of", fails)
    assert bind_to_default_accounts() == 1
    assert len(assert_timeline(projects[1])) == 1


def test_an_annotation_opts_out(organization: Organization, account: BillingAccount) -> None:
    set_to(organization, account.name)
    project = created(organization, payer="none")
    assert assert_timeline(project) == []
    assert condition_of(project)[:2] == ("False", "OptedOut")


def test_an_annotation_names_another_account(organization: Organization, account: BillingAccount) -> None:
    other = make.a_ready_account(organization)
    set_to(organization, account.name)
    project = created(organization, payer=other.name)
    (binding,) = assert_timeline(project)
    assert (binding.account, revisions(binding)[0].reason) == (other, "SuccessfulBinding")


def test_an_annotation_names_an_account_without_a_default_too(
    organization: Organization, account: BillingAccount
) -> None:
    (binding,) = assert_timeline(created(organization, payer=account.name))
    assert binding.account == account


def test_an_account_named_by_annotation_is_refused_like_a_bind(organization: Organization) -> None:
    incomplete = make.an_incomplete_account(organization)
    make.a_ready_account(make.an_organization(), "theirs")
    for name, reason, message in (
        (incomplete.name, "FieldValueInvalid", "is Incomplete, not Ready: spec.paymentTerms"),
        ("nowhere", "FieldValueNotFound", "there is no billing account nowhere in this organization"),
        ("theirs", "FieldValueNotFound", "there is no billing account theirs in this organization"),
    ):
        with refused(Invalid, message) as refusal:
            created(organization, payer=name)
        assert causes_of(refusal) == {ANNOTATION_FIELD: reason}


@pytest.mark.parametrize("name", ["p" * 63, "p" * 55 + "-" + "q" * 7, "p" * 56])
def test_a_long_name_is_shortened_with_a_hash(organization: Organization, account: BillingAccount, name: str) -> None:
    set_to(organization, account.name)
    (binding,) = assert_timeline(created(organization, name))
    assert len(binding.name) <= 63
    assert binding.name.endswith("-default")


def test_a_name_that_is_taken_is_given_a_hash(organization: Organization, account: BillingAccount) -> None:
    make.a_binding(make.a_project(organization), account, "shop-default")
    set_to(organization, account.name)
    (binding,) = assert_timeline(created(organization))
    assert binding.name.startswith("shop-")
    assert binding.name.endswith("-default")


def test_an_unbound_and_an_archived_project_say_why_nobody_pays(
    organization: Organization, account: BillingAccount
) -> None:
    project = make.a_project(organization)
    assert condition_of(project)[:2] == ("False", "Unbound")
    make.a_binding(project, account)
    assert condition_of(project)[0] == "True"
    archive_project(project.pk, actor=make.PLATFORM)
    assert condition_of(project)[:2] == ("False", "ProjectArchived")


def test_a_default_account_is_not_closed(organization: Organization, account: BillingAccount) -> None:
    set_to(organization, account.name)
    (blocker,) = blockers(account)
    assert (blocker.type, blocker.name, blocker.fix) == ("Organization", organization.name, "name another default")
    with refused(Invalid, "name another default"):
        make.a_request(account, "Close")
    with nothing_changes(), pytest.raises(IntegrityError, match="account_closed_while_default"), transaction.atomic():
        BillingAccount.objects.filter(pk=account.pk).update(phase="Archived")
    set_to(organization, "")
    make.in_phase(account, "Closed")


def test_a_project_costs_few_queries_more_with_a_default(organization: Organization, account: BillingAccount) -> None:
    def queries(name: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            created(organization, name)
        return len(captured)

    created(organization, "first")
    without = queries("without")
    set_to(organization, account.name)
    created(organization, "second")
    assert queries("with") <= 2 * without


def test_beat_sends_the_sweep_every_minute() -> None:
    (entry,) = [e for e in app.conf.beat_schedule.values() if e["task"] == bind_to_default_accounts.name]
    assert entry["schedule"] == 60.0
    app.loader.import_default_modules()
    assert entry["task"] in app.tasks


def test_an_annotation_that_names_nobody_is_refused(organization: Organization, account: BillingAccount) -> None:
    set_to(organization, account.name)
    with refused(Invalid) as caught:
        create_project("shop", organization.pk, ProjectSpec(), Metadata({}, {PAYER_ANNOTATION: ""}), actor=OPERATOR)
    assert set(causes_of(caught)) == {ANNOTATION_FIELD}
