"""Binding a project: one payer at a time, handed over without a gap, refused at once with every cause named."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import BillingAccount, BillingAccountBinding
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.bindings import PROJECT_FIELD, bind, relabel_binding
from billing.services.projects import archive_project
from milo.access import Actor
from milo.errors import AlreadyExists, Conflict, Forbidden, Invalid
from milo.kube.metadata import Metadata
from milo.kube.store.changes import version_of
from projects.models import Organization, Project
from tests.support import make
from tests.support.ledger import (
    assert_history_explains,
    assert_watchers_see,
    authors,
    causes_of,
    member,
    nobody_in,
    nothing_changes,
    refused,
    revisions,
    shown,
    staff,
    steps,
)

pytestmark = pytest.mark.django_db


def test_a_project_gets_its_first_payer(project: Project, account: BillingAccount) -> None:
    before = timezone.now()
    binding = make.a_binding(project, account, "frontend-us")
    binding.refresh_from_db()
    assert (binding.project, binding.account, binding.organization) == (project, account, project.organization)
    assert binding.phase == BillingAccountBinding.Phase.ACTIVE
    assert before <= binding.established_at <= timezone.now()
    assert (binding.ended_at, binding.end_reason, binding.supersedes) == (None, "", None)
    assert steps(binding) == [("Active", "SuccessfulBinding: us pays for webapp-frontend")]
    assert authors(binding) == {make.PLATFORM.name}


def test_a_new_binding_takes_over_at_the_very_instant_the_old_one_ends(
    project: Project, organization: Organization
) -> None:
    accounts = [make.a_ready_account(organization) for _ in range(3)]
    made = [make.a_binding(project, account) for account in (*accounts, accounts[0])]
    timeline = list(BillingAccountBinding.objects.timeline(project))
    assert timeline == made
    for old, new in pairwise(timeline):
        assert (old.phase, old.end_reason) == ("Superseded", "Superseded")
        assert old.ended_at == new.established_at > old.established_at
        assert (new.supersedes, old.superseded_by) == (old, new)
        assert [step for step, _reason in steps(old)] == ["Active", "Superseded"]
    assert timeline[-1].phase == BillingAccountBinding.Phase.ACTIVE
    for binding in timeline:
        assert_history_explains(binding)


def test_every_object_that_a_rebind_touches_gets_a_revision(project: Project, organization: Organization) -> None:
    first, second = make.a_ready_account(organization, "first"), make.a_ready_account(organization, "second")
    old = make.a_binding(project, first)
    before = version_of(old)
    new = make.a_binding(project, second)
    touched = {
        old: "Superseded",
        new: "SuccessfulBinding",
        project: "PayerChanged",
        first: "ProjectUnlinked",
        second: "ProjectLinked",
    }
    for row, reason in touched.items():
        newest = revisions(row)[-1]
        assert (newest.reason, newest.resource_version > before) == (reason, True)
        assert_watchers_see(row)
    assert [shown(row)["status"]["linkedProjectsCount"] for row in (first, second)] == [0, 1]


def test_a_rebind_reads_no_more_than_it_needs(project: Project, organization: Organization) -> None:
    """No item of a payer change where none is planned, no history of a binding that is new, and no whole table."""
    first, second = make.a_ready_account(organization, "first"), make.a_ready_account(organization, "second")
    make.a_binding(project, first)
    with CaptureQueriesContext(connection) as queries:
        new = make.a_binding(project, second)
    sent = [query["sql"] for query in queries]
    assert not [sql for sql in sent if 'FROM "billing_payerchangeitem"' in sql.partition(" WHERE ")[0]]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            for sql in [sql for sql in sent if sql.lstrip().startswith("SELECT") and "record_" not in sql]:
                cursor.cursor.execute(f"EXPLAIN {sql}")
                assert not [line for (line,) in cursor.fetchall() if "Seq Scan" in line], sql
    newest = [sql for sql in sent if sql.startswith("SELECT max(at)")]
    assert len(newest) == 1
    assert f"= {new.pk})" not in newest[0]


def test_neither_project_nor_account_writes_history_for_a_binding(project: Project, account: BillingAccount) -> None:
    counts = project.history.count(), account.history.count()
    make.a_binding(project, account)
    assert (project.history.count(), account.history.count()) == counts


def test_the_clock_of_a_project_never_runs_backwards(
    project: Project, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make.a_binding(project, make.a_ready_account(organization))
    behind = first.established_at - timedelta(hours=1)
    monkeypatch.setattr("milo.clock.timezone.now", lambda: behind)
    second = make.a_binding(project, make.a_ready_account(organization))
    third = make.a_binding(project, make.a_ready_account(organization))
    archive_project(project.pk, actor=make.PLATFORM)
    third.refresh_from_db()
    microsecond = timedelta(microseconds=1)
    assert second.established_at == first.established_at + microsecond
    assert third.established_at == second.established_at + microsecond
    assert third.ended_at == third.established_at + microsecond


def test_the_payer_of_now_is_refused_as_the_payer_to_be(project: Project, account: BillingAccount) -> None:
    make.a_binding(project, account)
    with refused(Invalid) as refusal:
        make.a_binding(project, account)
    assert causes_of(refusal) == {ACCOUNT_FIELD: "FieldValueInvalid"}


def test_a_project_that_does_not_exist_is_refused(organization: Organization, account: BillingAccount) -> None:
    with refused(Invalid) as refusal:
        bind(organization.pk, "b", "nowhere", account.name, actor=make.PLATFORM)
    assert causes_of(refusal) == {PROJECT_FIELD: "FieldValueNotFound"}


def test_an_account_that_does_not_exist_is_refused(organization: Organization, project: Project) -> None:
    with refused(Invalid) as refusal:
        bind(organization.pk, "b", project.name, "nowhere", actor=make.PLATFORM)
    assert causes_of(refusal) == {ACCOUNT_FIELD: "FieldValueNotFound"}


def test_an_archived_project_is_refused(project: Project, account: BillingAccount) -> None:
    archive_project(project.pk, actor=make.PLATFORM)
    with refused(Invalid) as refusal:
        make.a_binding(project, account)
    assert causes_of(refusal) == {PROJECT_FIELD: "FieldValueInvalid"}


@pytest.mark.parametrize("phase", ["Provisioning", "Incomplete", "Suspended", "Closed", "Archived"])
def test_an_account_that_is_not_ready_is_refused(project: Project, account: BillingAccount, phase: str) -> None:
    make.in_phase(account, phase)
    with refused(Invalid) as refusal:
        make.a_binding(project, account)
    assert causes_of(refusal) == {ACCOUNT_FIELD: "FieldValueInvalid"}
    assert f"is {phase}, not Ready" in str(refusal.value)


def test_an_incomplete_account_says_what_it_lacks(project: Project, organization: Organization) -> None:
    account = make.an_incomplete_account(organization)
    with refused(Invalid, "spec.paymentProfile is required"):
        make.a_binding(project, account)


def test_every_broken_rule_is_named_at_once(organization: Organization, project: Project) -> None:
    archive_project(project.pk, actor=make.PLATFORM)
    account = make.an_incomplete_account(organization)
    with refused(Invalid) as refusal:
        make.a_binding(project, account)
    assert causes_of(refusal) == {PROJECT_FIELD: "FieldValueInvalid", ACCOUNT_FIELD: "FieldValueInvalid"}
    with refused(Invalid) as refusal:
        bind(organization.pk, "b", "nowhere", "nowhere", actor=make.PLATFORM)
    assert causes_of(refusal) == {PROJECT_FIELD: "FieldValueNotFound", ACCOUNT_FIELD: "FieldValueNotFound"}


def test_what_belongs_to_another_organization_looks_as_if_it_did_not_exist(
    organization: Organization, project: Project, account: BillingAccount
) -> None:
    other = make.an_organization("globex")
    theirs = make.a_project(other, "theirs"), make.a_ready_account(other, "theirs")
    for payee, payer in (("theirs", account.name), (project.name, "theirs"), ("theirs", "theirs")):
        with refused(Invalid) as foreign:
            bind(organization.pk, "b", payee, payer, actor=make.PLATFORM)
        payee, payer = payee.replace("theirs", "nowhere"), payer.replace("theirs", "nowhere")
        with refused(Invalid) as missing:
            bind(organization.pk, "b", payee, payer, actor=make.PLATFORM)
        assert str(foreign.value).replace("theirs", "nowhere") == str(missing.value)
    assert make.a_binding(*theirs).organization == other


def test_a_name_is_taken_for_ever_in_its_organization_only(
    project: Project, account: BillingAccount, organization: Organization
) -> None:
    make.a_binding(project, account, "first")
    make.a_binding(project, make.a_ready_account(organization), "second")
    for name in ("first", "second"):
        with refused(AlreadyExists):
            make.a_binding(project, account, name)
    other = make.an_organization("globex")
    make.a_binding(make.a_project(other), make.a_ready_account(other), "first")


@pytest.mark.parametrize("name", ["", "Not-A-Label", "a" * 64, "4111-1111-1111-1111"])
def test_a_name_is_a_dns_label_and_no_card_number(project: Project, account: BillingAccount, name: str) -> None:
    with refused(Invalid) as refusal:
        bind(project.organization_id, name, project.name, account.name, actor=make.PLATFORM)
    assert set(causes_of(refusal)) == {"metadata.name"}


def test_a_project_may_leave_a_suspended_account(project: Project, organization: Organization) -> None:
    suspended = make.a_ready_account(organization)
    old = make.a_binding(project, suspended)
    make.in_phase(suspended, "Suspended")
    new = make.a_binding(project, make.a_ready_account(organization))
    old.refresh_from_db()
    assert (old.phase, new.phase) == ("Superseded", "Active")


def test_a_refused_rebind_leaves_the_present_payer(project: Project, organization: Organization) -> None:
    binding = make.a_binding(project, make.a_ready_account(organization))
    account = make.an_incomplete_account(organization)
    with refused(Invalid):
        make.a_binding(project, account)
    assert BillingAccountBinding.objects.paying().get(project=project) == binding


@pytest.mark.parametrize("role", ["billing-admin", "billing-user"])
def test_members_who_manage_or_use_billing_bind_projects(project: Project, account: BillingAccount, role: str) -> None:
    actor = member(project.organization_id, role)
    binding = bind(project.organization_id, "b", project.name, account.name, actor=actor)
    assert authors(binding) == {actor.name}


@pytest.mark.parametrize(
    "actor",
    [
        lambda pk: member(pk, "billing-viewer"),
        nobody_in,
        lambda pk: staff("auditor", "finance-approver", "usage-reporter", "charge-reporter"),
        lambda pk: Actor("user:guest"),
    ],
    ids=["viewer", "of another organization", "other staff", "no role"],
)
def test_nobody_else_binds_projects(project: Project, account: BillingAccount, actor: Any) -> None:
    with refused(Forbidden):
        bind(project.organization_id, "b", project.name, account.name, actor=actor(project.organization_id))


def test_labels_are_all_of_a_binding_that_can_be_changed(project: Project, account: BillingAccount) -> None:
    binding = make.a_binding(project, account)
    read = version_of(binding)
    relabel_binding(binding.pk, Metadata({"tier": "gold"}), actor=make.PLATFORM, resource_version=read)
    assert_history_explains(binding)
    assert_watchers_see(binding)
    with refused(Conflict):
        relabel_binding(binding.pk, Metadata({"tier": "lead"}), actor=make.PLATFORM, resource_version=read)
    with refused(Invalid):
        relabel_binding(binding.pk, Metadata({"a b": "c"}), actor=make.PLATFORM)
    with refused(Forbidden):
        relabel_binding(binding.pk, Metadata(), actor=member(project.organization_id, "billing-viewer"))
    with nothing_changes():
        relabel_binding(binding.pk, Metadata({"tier": "gold"}), actor=make.PLATFORM)
