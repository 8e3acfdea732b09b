"""Archiving a closed account, whatever fails on the way, and proving the archive."""

import json
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing.models import BillingAccount
from billing.services.holds import set_hold
from billing.services.retention import bundles
from billing.services.retention.archival import ARCHIVIST, archive
from billing.tasks import archive_accounts
from milo.errors import Conflict, Invalid
from projects.models import Organization
from tests.admin.browser import buttons, page_of, staff
from tests.api.client import ACCOUNTS, Api
from tests.support import make
from tests.support.ledger import assert_history_explains, nothing_changes, refused, steps
from tests.support.retention import Failing, a_closed_account, manifest, noon, part, store, stored
from tests.support.usage import an_event, taken

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "tests.support.retention.Failing"}}
    Failing.saved = Failing.fail_at = 0


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> BillingAccount:
    """Closed on 2026-01-10, so that it can be reopened through 2026-04-10."""
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-01-10"))
    organization = make.an_organization("acme-corp")
    account = a_closed_account(organization)
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-04-11"))
    return account


def lines(account: BillingAccount, kind: str) -> list[dict[str, Any]]:
    with store().open(part(account, f"{kind}.jsonl")) as file:
        return [json.loads(line) for line in file]


def verify() -> str:
    out = StringIO()
    call_command("archive", "verify", stdout=out, stderr=out)
    return out.getvalue()


def test_the_task_archives_what_is_closed_for_long_enough_and_a_repeat_does_nothing(closed: BillingAccount) -> None:
    assert archive_accounts() == 1
    account = BillingAccount.objects.get(pk=closed.pk)
    assert (account.phase, account.archived_at is not None) == ("Archived", True)
    assert steps(account)[-1] == ("Archived", f"BillingAccountArchived: bundle sha256:{account.archive_sha256}")
    assert account.history.latest("history_id").history_user_id == "system:archivist"
    assert_history_explains(account)
    with nothing_changes():
        assert archive_accounts() == 0


def test_the_bundle_holds_everything_of_the_account_with_its_history(closed: BillingAccount) -> None:
    archive(closed.pk, actor=ARCHIVIST)
    (account,) = lines(closed, "account")
    assert (account["uid"], account["phase"], account["display_name"]) == (str(closed.uid), "Closed", "Erika Example")
    for kind in ("bindings", "suspensions", "charges", "holds"):
        assert len(lines(closed, kind)) == 1, kind
        assert [row["history_type"] for row in lines(closed, f"{kind}-history")] == ["+", "~"], kind
    assert sorted(row["act"] for row in lines(closed, "approvals")) == ["Close", "Reactivate", "ReleaseHold"]
    assert lines(closed, "charges")[0]["amount"] == "10.0000"
    assert len(lines(closed, "notices")) == closed.notices.count() > 0
    assert len(lines(closed, "account-history")) == closed.history.count() - 1  # the step that archived it


def test_the_bundle_holds_the_accounts_usage_and_nobody_elses_with_what_was_counted(closed: BillingAccount) -> None:
    paid, after = closed.bindings.get(), BillingAccount.objects.get(name="eu").bindings.get()
    taken(
        an_event(paid.project, "0.1", time=paid.established_at),
        an_event(after.project, "5", time=after.established_at),
    )
    archive(closed.pk, actor=ARCHIVIST)
    shown = [(row["granularity"], row["starts_on"], row["quantity"], row["events"]) for row in lines(closed, "usage")]
    assert sorted(shown) == [("day", "2026-01-10", "0.1", 1), ("month", "2026-01-01", "0.1", 1)]
    assert {(row["account_id"], row["service"], row["meter_name"], row["unit"]) for row in lines(closed, "usage")} == {
        (closed.pk, "compute", "cpu-time", "s")
    }


@pytest.mark.parametrize("day", ["2026-01-11", "2026-04-10"])
def test_an_account_that_can_be_reopened_is_not_archived(
    closed: BillingAccount, monkeypatch: pytest.MonkeyPatch, settings: Any, day: str
) -> None:
    settings.MILO_ARCHIVE_AFTER_DAYS = 1
    monkeypatch.setattr(timezone, "now", lambda: noon(day))
    with refused(Invalid, "2026-04-11 at the earliest"):
        archive(closed.pk, actor=ARCHIVIST)
    with nothing_changes():
        assert archive_accounts() == 0


def test_a_platform_may_wait_longer_than_the_window(closed: BillingAccount, settings: Any) -> None:
    settings.MILO_ARCHIVE_AFTER_DAYS = 91
    with refused(Invalid, "2026-04-12 at the earliest"):
        archive(closed.pk, actor=ARCHIVIST)


def test_an_account_that_is_not_closed_is_not_archived(organization: Organization) -> None:
    account = make.a_ready_account(organization)
    with refused(Invalid, "a Ready account cannot be archived"):
        archive(account.pk, actor=ARCHIVIST)


@pytest.mark.parametrize("step", [1, 2, 7, 14, 15])
def test_a_storage_that_fails_at_any_file_leaves_a_closed_account_and_a_repeat_archives_it(
    closed: BillingAccount, step: int
) -> None:
    Failing.fail_at = step
    with nothing_changes():
        assert archive_accounts() == 0
    assert Failing.saved == step
    assert archive_accounts() == 1
    assert "1 bundles checked, 0 broken" in verify()


def test_a_crash_between_the_bundle_and_the_transition_is_repeated(
    closed: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as broken, nothing_changes():
        broken.setattr(BillingAccount, "archive", crash)
        with pytest.raises(SystemExit):
            archive(closed.pk, actor=ARCHIVIST)
    left = set(stored())
    assert any("/manifest-" in name for name in left)
    assert archive_accounts() == 1
    assert "1 bundles checked, 0 broken" in verify()
    assert not left & set(stored())


def test_of_two_archivists_at_once_the_first_wins_and_its_bundle_stays_whole(
    closed: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bundles.write

    def overtaken(account: BillingAccount) -> str:
        monkeypatch.setattr(bundles, "write", write)
        digest = write(account)
        archive(account.pk, actor=ARCHIVIST)
        return digest

    monkeypatch.setattr(bundles, "write", overtaken)
    with pytest.raises(Invalid, match="a Archived account cannot be archived"):
        archive(closed.pk, actor=ARCHIVIST)
    assert "1 bundles checked, 0 broken" in verify()
    assert [step for step, _why in steps(closed)].count("Archived") == 1


def test_what_changes_while_the_bundle_is_written_is_not_archived_without(
    closed: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bundles.write

    def write_and_hold(account: BillingAccount) -> str:
        digest = write(account)
        set_hold(account.pk, type="LegalHold", message="case 4", actor=make.PLATFORM)
        return digest

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(bundles, "write", write_and_hold)
        with pytest.raises(Conflict):
            archive(closed.pk, actor=ARCHIVIST)
    assert BillingAccount.objects.get(pk=closed.pk).phase == "Closed"
    assert archive_accounts() == 1
    assert [row["message"] for row in lines(closed, "holds")] == ["who owns it", "case 4"]


def test_a_storage_that_keeps_something_else_is_noticed_before_the_transition(
    closed: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "_open", lambda self, name, mode="rb": BytesIO(b"{}"))
    with nothing_changes(), pytest.raises(bundles.BundleDamaged, match="manifest"):
        archive(closed.pk, actor=ARCHIVIST)


@pytest.mark.parametrize("kind", ["account.jsonl", "notices.jsonl", "charges-history.jsonl", "manifest"])
@pytest.mark.parametrize("how", ["changed", "one row more", "missing"])
def test_verify_finds_what_was_tampered_with(closed: BillingAccount, kind: str, how: str) -> None:
    archive(closed.pk, actor=ARCHIVIST)
    assert "acme-corp/us: " in verify()
    name = manifest(closed) if kind == "manifest" else part(closed, kind)
    with store().open(name) as file:
        content = file.read()
    store().delete(name)
    if how != "missing":
        with store().open(name, "wb") as file:
            file.write(content + b"{}\n" if how == "one row more" else content.replace(b"1", b"2", 1))
    with pytest.raises(CommandError, match="1 of 1 bundles are broken"):
        verify()


def test_verify_looks_at_one_organization_where_it_is_told_to(closed: BillingAccount) -> None:
    archive(closed.pk, actor=ARCHIVIST)
    out = StringIO()
    call_command("archive", "verify", organization="other", stdout=out)
    assert out.getvalue() == "0 bundles checked, 0 broken\n"
    call_command("archive", "verify", organization="acme-corp", stdout=out)
    assert "acme-corp/us: " in out.getvalue()


def test_the_bundle_is_a_folder_of_files_by_default(closed: BillingAccount, settings: Any, tmp_path: Any) -> None:
    from milo.settings import STORAGES

    archived: dict[str, Any] = STORAGES["archive"]
    options = {**archived["OPTIONS"], "location": tmp_path}
    settings.STORAGES = {**settings.STORAGES, "archive": {**archived, "OPTIONS": options}}
    left_by_a_crash = tmp_path / "acme-corp" / str(closed.uid) / "of-before" / "account.jsonl"
    left_by_a_crash.parent.mkdir(parents=True)
    left_by_a_crash.write_text("half a row")
    assert archive_accounts() == 1
    assert not left_by_a_crash.exists()
    assert "1 bundles checked, 0 broken" in verify()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.jsonl")} == {0o600}


def test_an_archived_account_is_read_in_the_api_and_on_the_staff_site_and_changed_in_neither(
    closed: BillingAccount, settings: Any
) -> None:
    settings.MILO_PLATFORM_COUNTRY = "AR"
    operator = staff("finance-operator")
    retention = f"{page_of(closed)}?tab=archive"
    assert "on 2026-04-11 at the earliest" in operator.get(retention).content.decode()
    archive_accounts()
    closed.refresh_from_db()
    page = operator.get(retention)
    assert closed.archive_sha256 in page.content.decode()
    assert "on 2036-01-11 at the earliest" in page.content.decode()
    assert buttons(page) <= {page_of(closed, "hold")}
    api = Api.of(make.a_person(groups=("finance-operator",)))
    shown = api.get(f"{ACCOUNTS}/us").done()
    assert shown["status"]["phase"] == "Archived"
    assert shown["status"]["retention"] == {
        # the clock of the test stands still, and a time line does not
        "closedAt": f"{closed.closed_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "archivedAt": "2026-04-11T12:00:00.000000Z",
        "archiveSHA256": closed.archive_sha256,
        "purgeDate": "2036-01-11",
    }
    with nothing_changes():
        changed = api.put(f"{ACCOUNTS}/us", shown | {"spec": shown["spec"] | {"displayName": "x"}})
        assert "closed and cannot be changed" in changed.refused(422, "Invalid")["message"]
