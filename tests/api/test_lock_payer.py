"""Locking the payer of a project by its actions."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount
from projects.models import Organization, Project
from tests.api.client import BINDINGS, PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import a_binding
from tests.support import make

PROJECT = f"{PROJECTS}/webapp"
LOCK, UNLOCK = f"{PROJECT}/lockpayer", f"{PROJECT}/unlockpayer"
REASON = {"spec": {"reason": "regulated workload"}}


@pytest.fixture
def bound(organization: Organization, example_account: BillingAccount) -> Project:
    project = make.a_project(organization, "webapp")
    make.a_binding(project, example_account, "payer")
    return project


def test_the_lock_is_shown_with_the_payer(admin: Api, bound: Project) -> None:
    locked = admin.post(LOCK, REASON).done()["status"]["billingResponsibility"]
    assert locked["account"] == "acme-corp-us"
    at = locked["locked"].pop("at")
    assert locked["locked"] == {"by": "user:acme-admin", "reason": "regulated workload"}
    assert admin.get(PROJECT).done()["status"]["billingResponsibility"]["locked"]["at"] == at
    (listed,) = admin.get(PROJECTS).done()["items"]
    assert listed["status"]["billingResponsibility"]["locked"]["at"] == at
    assert revisions("webapp")[-1] == ("MODIFIED", "PayerLocked")


def test_a_locked_project_is_neither_bound_nor_archived_until_unlocked(
    admin: Api, organization: Organization, bound: Project
) -> None:
    make.a_ready_account(organization, "acme-corp-eu")
    admin.post(LOCK, REASON).done()
    with nothing_changes():
        bind = admin.post(BINDINGS, a_binding("webapp", "acme-corp-eu", "second"))
        archive = admin.post(f"{PROJECT}/archive")
    for answer in (bind, archive):
        message = answer.refused(422, "Invalid")["message"]
        assert "the payer of webapp is locked since" in message
        assert "by acme-admin (regulated workload): unlock it first" in message
    assert list(bind.causes()) == ["spec.projectRef.name"]
    unlocked = admin.post(UNLOCK, {"spec": {"reason": "agreed"}}).done()
    assert "locked" not in unlocked["status"]["billingResponsibility"]
    assert revisions("webapp")[-1] == ("MODIFIED", "PayerUnlocked")
    admin.post(BINDINGS, a_binding("webapp", "acme-corp-eu", "second")).done(201)


def test_the_billing_history_keeps_every_lock(admin: Api, bound: Project) -> None:
    history = f"{PROJECT}/billinghistory"
    assert "locks" not in admin.get(history).done()
    admin.post(LOCK, REASON).done()
    admin.post(UNLOCK, {"spec": {"reason": "agreed"}}).done()
    admin.post(LOCK, {"spec": {"reason": "again"}}).done()
    first, second = admin.get(history).done()["locks"]
    assert (first["by"], first["reason"]) == ("user:acme-admin", "regulated workload")
    assert (first["unlockedBy"], first["unlockReason"]) == ("user:acme-admin", "agreed")
    assert first["at"] < first["unlockedAt"] < second["at"]
    assert set(second) == {"by", "at", "reason"}


def test_only_who_may_locks(
    viewer: Api, stranger: Api, auditor: Api, organization: Organization, bound: Project
) -> None:
    user = Api.of(make.a_person(roles={organization: "billing-user"}))
    with nothing_changes():
        for act in (LOCK, UNLOCK):
            for person in (viewer, auditor, user):
                person.post(act, REASON).refused(403, "Forbidden")
            stranger.post(act, REASON).refused(404, "NotFound")


@pytest.mark.parametrize("body", [None, {}, {"spec": {}}, {"spec": {"reason": ""}}, {"spec": {"reason": " "}}])
def test_without_a_reason_it_is_refused(admin: Api, bound: Project, body: object) -> None:
    with nothing_changes():
        admin.post(LOCK, body).refused(422, "Invalid")


def test_there_is_no_way_past_a_lock(admin: Api, bound: Project) -> None:
    admin.post(LOCK, REASON).done()
    with nothing_changes():
        admin.post(f"{PROJECT}/archive", {"spec": {"force": True}}).refused(400, "BadRequest")
        admin.post(LOCK, {"spec": {"reason": "x", "force": True}}).refused(400, "BadRequest")


def test_a_dry_run_locks_nothing(admin: Api, bound: Project) -> None:
    with nothing_changes():
        tried = admin.post(f"{LOCK}?dryRun=All", REASON).done()
    assert tried["status"]["billingResponsibility"]["locked"]["reason"] == "regulated workload"


def test_a_list_of_projects_takes_as_many_queries_with_locks_as_without(
    admin: Api, organization: Organization, example_account: BillingAccount
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin.get(PROJECTS).done()
        return len(captured)

    def locked(name: str) -> None:
        make.a_binding(make.a_project(organization, name), example_account)
        admin.post(f"{PROJECTS}/{name}/lockpayer", REASON).done()

    make.a_binding(make.a_project(organization), example_account)
    admin.get(PROJECTS).done()
    before = queries()
    for name in ("one", "two", "three"):
        locked(name)
    assert queries() == before
