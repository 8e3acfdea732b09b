"""Renewal of manifests: after an upgrade, objects that are shown differently get a revision, and no others do."""

from itertools import islice
from typing import Any

import pytest
from django.core.management import call_command

from billing.models import BillingAccount
from milo.kube.kinds import all_kinds
from milo.kube.models import Renewal
from milo.kube.store import resync
from milo.kube.store.changes import current_version, version_of
from milo.kube.tasks import renew_manifests
from tests.support import make
from tests.support.database import as_owner
from tests.support.ledger import nothing_changes, revisions, shown

pytestmark = pytest.mark.django_db
ACCOUNTS = "billingaccounts.billing.milo.io"


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> list[BillingAccount]:
    """Five accounts, compared two at a time; SQL has changed the first and the last."""
    monkeypatch.setattr(resync, "BATCH", 2)
    organization = make.an_organization()
    made = [make.a_ready_account(organization) for _ in range(5)]
    make.a_binding(make.a_project(organization), made[0])
    resync.renew()
    rows = BillingAccount.objects.filter(pk__in=[made[0].pk, made[-1].pk])
    rows.update(display_name="As SQL has it")
    return made


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other code renders from now on."""
    monkeypatch.setattr(resync, "rendering", lambda: "of another version")


def test_what_is_shown_otherwise_than_its_revision_says_is_renewed_once(accounts: list[BillingAccount]) -> None:
    before = current_version()
    assert resync.renew() == 2
    assert current_version() == before + 2
    for account in (accounts[0], accounts[-1]):
        assert shown(account)["spec"]["displayName"] == "As SQL has it"
        assert revisions(account)[-1].actor == "system:renewal"
        assert version_of(account) > before
    with nothing_changes():
        list(resync.proceed())
        assert resync.owe() == []


def test_migrate_owes_what_other_code_renders_and_the_worker_pays_it(
    accounts: list[BillingAccount], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = current_version()
    assert resync.owe() == []
    assert renew_manifests() == 0
    upgrade(monkeypatch)
    with_objects = {kind.resource for kind in all_kinds() if kind.model._default_manager.exists()}
    assert ACCOUNTS in with_objects
    assert set(resync.owe()) == with_objects
    assert current_version() == before
    assert renew_manifests() > 0
    assert current_version() == before + 2
    assert not Renewal.objects.filter(ended_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_the_command_migrate_owes_and_writes_no_revision(
    accounts: list[BillingAccount], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    upgrade(monkeypatch)
    before = current_version()
    with as_owner():
        call_command("migrate", "kube", verbosity=0)
        assert not Renewal.objects.filter(ended_at=None).exists()
        call_command("migrate", verbosity=1)
    assert "manage.py renew_manifests does it at once" in capsys.readouterr().out
    assert current_version() == before
    call_command("renew_manifests", "--continue")
    assert f"{ACCOUNTS}: 5 objects compared, 2 renewed" in capsys.readouterr().out
    assert current_version() == before + 2


def test_whoever_is_interrupted_is_gone_on_with_where_it_stopped(
    accounts: list[BillingAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    differing = resync._differing

    def counted(kind: Any, keys: list[int]) -> list[int]:
        if kind.resource == ACCOUNTS and len(keys) != 1:
            compared.extend(keys)
        return differing(kind, keys)

    monkeypatch.setattr(resync, "_differing", counted)
    resync.owe(again=True)
    while Renewal.objects.get(pk=ACCOUNTS).compared < 2:
        list(islice(resync.proceed(), 1))
    list(resync.proceed())
    assert compared == sorted(account.pk for account in accounts[:4])
    done = Renewal.objects.get(pk=ACCOUNTS)
    assert (done.compared, done.renewed) == (5, 2)


def test_a_worker_of_the_version_before_leaves_it_to_the_new_one(
    accounts: list[BillingAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        upgrade(newer)
        resync.owe()
    with nothing_changes():
        assert renew_manifests() == 0
