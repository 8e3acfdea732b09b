"""What retention does to archived accounts, and what it says before."""

import csv
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from billing.compliance import retention
from billing.models import ApprovalRequest, BillingAccount, Notice
from billing.services.holds import set_hold
from billing.services.notices.deliveries import requeue
from billing.services.retention import archival, bundles
from billing.services.retention.archival import ARCHIVIST, archive, purge_on
from billing.services.retention.purges import PURGER, purge
from billing.tasks import announce_retention, archive_accounts, purge_accounts
from milo import card_numbers
from milo.errors import Invalid, NotFound
from milo.ledger import seals
from milo.ledger.models import Salt, Seal
from milo.ledger.rows import Reader
from milo.ledger.shapes import unstated
from milo.ledger.verification import verify
from tests.support import make, tamper
from tests.support.ledger import assert_history_explains, everything, nothing_changes, refused, steps
from tests.support.retention import SECRETS, Failing, a_closed_account, noon, part, store, stored

pytestmark = pytest.mark.django_db
# docs/compliance.md, "Examples": Argentina asks for 10 years from the day of the record, here the closure on 2026-01-10
PURGE_DAY, DAY_BEFORE = "2036-01-11", "2036-01-10"


@pytest.fixture(autouse=True)
def platform(settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "tests.support.retention.Failing"}}
    settings.MILO_PLATFORM_COUNTRY = "AR"
    Failing.saved = Failing.fail_at = 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda day: monkeypatch.setattr(timezone, "now", lambda: noon(day))


@pytest.fixture
def closed(clock: Any) -> BillingAccount:
    clock("2026-01-10")
    return a_closed_account(make.an_organization("acme-corp"))


@pytest.fixture
def archived(closed: BillingAccount, clock: Any) -> BillingAccount:
    clock("2026-04-11")
    return archive(closed.pk, actor=ARCHIVIST)


def archive_text() -> str:
    return "\n".join(stored().values())


def ledger() -> str:
    """Every row of billing, its history too, without the change log, which is compacted within days."""
    return str({label: rows for label, rows in everything().items() if label.startswith("billing.")})


def test_archival_sets_the_purge_date(archived: BillingAccount) -> None:
    assert str(archived.purge_on) == PURGE_DAY


@pytest.mark.parametrize(
    ("platform", "account", "day"),
    [("AR", "DE", "2037-01-01"), ("DE", "AR", "2037-01-01"), ("AR", "AT", PURGE_DAY), ("", "AR", None)],
)
def test_of_the_platforms_country_and_the_accounts_the_longer_retention_counts(
    closed: BillingAccount, settings: Any, platform: str, account: str, day: str | None
) -> None:
    settings.MILO_PLATFORM_COUNTRY, closed.country = platform, account
    shown = purge_on(closed, timezone.now().date())
    assert (shown and str(shown)) == day


def test_on_the_day_personal_data_leave_the_live_rows_and_the_bundle(archived: BillingAccount, clock: Any) -> None:
    assert all(secret in ledger() and secret in archive_text() for secret in SECRETS)
    clock(DAY_BEFORE)
    with nothing_changes():
        assert purge_accounts() == 0
    with refused(Invalid, "2036-01-11 at the earliest"):
        purge(archived.pk, actor=PURGER)
    clock(PURGE_DAY)
    assert purge_accounts() == 1
    account = BillingAccount.objects.get(pk=archived.pk)
    assert (str(account.pseudonymised_on), account.display_name) == (PURGE_DAY, "[purged]")
    assert [secret for secret in SECRETS if secret in ledger() or secret in archive_text()] == []
    assert steps(account)[-1][1].startswith("PersonalDataPurged")
    assert_history_explains(account)
    out = StringIO()
    call_command("archive", "verify", stdout=out)
    assert "1 bundles checked, 0 broken" in out.getvalue()
    with nothing_changes():
        assert purge_accounts() == 0


def test_what_was_sealed_is_proven_without_the_personal_data_that_have_gone(
    archived: BillingAccount, clock: Any
) -> None:
    # later than what migrate has written, by the clock of today
    clock(DAY_BEFORE)
    seals.seal()
    kept = Salt.objects.filter(subject=str(archived.uid))
    assert kept.exists()
    clock(PURGE_DAY)
    purge_accounts()
    assert not kept.exists()
    assert verify().faults == []
    seals.seal()
    report = verify()
    assert (report.faults, report.unsealed) == ([], 0)
    redacted = archived.history.earliest("pk")
    assert (redacted.display_name, redacted.history_user_id) == ("[purged]", "system:tests")
    with tamper.guards_off():
        tamper.alter(redacted, net_days=90)
    (fault,) = verify().faults
    assert (fault.row, fault.message) == (redacted.pk, "was altered")


def test_what_the_first_version_sealed_is_proven_after_a_purge(
    archived: BillingAccount, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its seals state no columns, and its leaves have none of those that came later."""
    clock(DAY_BEFORE)
    with monkeypatch.context() as first_version:
        first_version.setattr(seals, "statement", lambda table, before: {})
        first_version.setattr(seals, "Reader", lambda table, salts: Reader(table, salts, unstated(table, None)))
        assert seals.seal() > 0
    (sealed,) = Seal.objects.all()
    assert [part for part in sealed.tables.values() if "columns" in part] == []
    assert verify().faults == []
    clock(PURGE_DAY)
    assert purge_accounts() == 1
    assert verify().faults == []
    seals.seal()
    assert verify().faults == []
    for past in (archived.history.earliest("pk"), archived.holds.get().history.earliest("pk")):
        with tamper.guards_off():
            tamper.alter(past, uid=uuid4())
        assert (past._meta.db_table, past.pk) in [(fault.table, fault.row) for fault in verify().faults]


def test_the_ledger_stands_after_a_purge(archived: BillingAccount, clock: Any) -> None:
    before = {row.pk: (row.act, row.requester, row.decider, row.reviewed_hash) for row in requests_of(archived)}
    amounts = list(archived.charges.values_list("external_id", "amount", "settlement_reference", "settled_at"))
    history = archived.history.count()
    clock(PURGE_DAY)
    purge_accounts()
    assert {row.pk: (row.act, row.requester, row.decider, row.reviewed_hash) for row in requests_of(archived)} == before
    assert list(archived.charges.values_list("external_id", "amount", "settlement_reference", "settled_at")) == amounts
    assert archived.history.count() == history + 1
    assert archived.bindings.count() == 1


def requests_of(account: BillingAccount) -> list[ApprovalRequest]:
    return list(ApprovalRequest.objects.filter(account=account))


def test_no_notice_that_is_owed_goes_to_a_purged_recipient(archived: BillingAccount, clock: Any) -> None:
    assert archived.notices.filter(phase="Pending").exists()
    clock(PURGE_DAY)
    purge_accounts()
    assert set(archived.notices.values_list("phase", flat=True)) == {"Dead"}
    for notice in Notice.objects.filter(account=archived):
        with refused(NotFound):
            requeue(notice.pk, actor=PURGER)


def test_a_hold_beats_the_purge_until_the_day_after_its_release(archived: BillingAccount, clock: Any) -> None:
    hold = set_hold(archived.pk, type="LegalHold", message="case 4", actor=make.PLATFORM)
    clock(PURGE_DAY)
    assert purge_accounts() == 0
    account = BillingAccount.objects.get(pk=archived.pk)
    assert steps(account)[-1][1] == "PurgePostponed: a hold is open: LegalHold"
    with nothing_changes():
        assert purge_accounts() == 0
    clock("2036-02-01")
    make.an_approved(account, "ReleaseHold", proposal={"hold": str(hold.uid)})
    assert purge_accounts() == 0
    clock("2036-02-02")
    assert purge_accounts() == 1


def test_a_bundle_that_is_not_what_was_archived_is_not_replaced(archived: BillingAccount, clock: Any) -> None:
    store().delete(part(archived, "charges.jsonl"))
    clock(PURGE_DAY)
    assert purge_accounts() == 0
    account = BillingAccount.objects.get(pk=archived.pk)
    assert account.pseudonymised_on is None
    assert "PurgePostponed" in steps(account)[-1][1]
    assert "charges.jsonl" in steps(account)[-1][1]


@pytest.mark.parametrize("step", [1, 2, 7, 13, 14])
def test_a_storage_that_fails_while_purging_loses_nothing_and_a_repeat_purges(
    archived: BillingAccount, clock: Any, step: int
) -> None:
    clock(PURGE_DAY)
    Failing.saved, Failing.fail_at = 0, step
    with nothing_changes():
        assert purge_accounts() == 0
    assert bundles.verify(archived, archived.archive_sha256)
    assert purge_accounts() == 1
    assert "Erika" not in archive_text()


def test_a_crash_before_the_old_bundle_is_deleted_is_found_and_finished(
    archived: BillingAccount, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: Any) -> None:
        raise SystemExit

    clock(PURGE_DAY)
    with monkeypatch.context() as broken:
        broken.setattr(bundles, "delete_strays", crash)
        with pytest.raises(SystemExit):
            purge(archived.pk, actor=PURGER)
    out = StringIO()
    with pytest.raises(CommandError, match="bundles are broken"):
        call_command("archive", "verify", stdout=out, stderr=out)
    assert "files with personal data are still there" in out.getvalue()
    purge_accounts()
    assert "Erika" not in archive_text()


def test_a_platform_without_a_country_purges_nothing_until_it_names_one(
    closed: BillingAccount, clock: Any, settings: Any
) -> None:
    settings.MILO_PLATFORM_COUNTRY = ""
    clock("2026-04-11")
    archive_accounts()
    clock("2090-01-01")
    with nothing_changes():
        assert purge_accounts() == 0
    settings.MILO_PLATFORM_COUNTRY = "AR"
    assert purge_accounts() == 1


def test_an_account_that_cannot_be_dated_keeps_no_other_from_its_purge(
    archived: BillingAccount, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(account: BillingAccount, on: Any) -> None:
        raise RuntimeError("of this one alone")

    monkeypatch.setattr(archival, "purge_on", fail)
    clock(PURGE_DAY)
    assert purge_accounts() == 1


def test_years_that_the_law_adds_meanwhile_put_the_purge_off(
    archived: BillingAccount, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "years_of", lambda row: 12)
    clock(PURGE_DAY)
    assert plan()[0]["purgeOn"] == "2038-01-11"
    with refused(Invalid, "2038-01-11 at the earliest"):
        purge(archived.pk, actor=PURGER)
    assert purge_accounts() == 0
    account = BillingAccount.objects.get(pk=archived.pk)
    assert (str(account.purge_on), steps(account)[-1][1]) == ("2038-01-11", "PurgeDateSet: 2038-01-11")
    monkeypatch.setattr(retention, "years_of", lambda row: 1)
    with nothing_changes():
        assert purge_accounts() == 0


def change(table: str, row: Any, **values: Any) -> None:
    """A change past every service, which the database must refuse."""
    assignments = ", ".join(f"{column} = %s" for column in values)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {assignments} WHERE id = %s", [*values.values(), row.pk])


ACCOUNT = "billing_billingaccount"


@pytest.mark.parametrize(
    ("guard", "values"),
    [
        ("account_closed_fixed", {"display_name": "x"}),
        ("account_closed_fixed", {"invoice_email_addresses": "[]"}),
        ("account_closed_fixed", {"labels": '{"a": "b"}'}),
        ("account_archive_fixed", {"archive_sha256": "x"}),
        ("account_purge_date_never_earlier", {"purge_on": "2027-01-01"}),
        ("account_pseudonymised_when_due", {"pseudonymised_on": DAY_BEFORE}),
        ("account_closed_fixed", {"pseudonymised_on": PURGE_DAY, "net_days": 1}),
        ("account_archived_fixed", {"pseudonymised_on": PURGE_DAY, "phase": "Closed"}),
    ],
)
def test_the_database_lets_nothing_through_but_the_purge(
    archived: BillingAccount, guard: str, values: dict[str, Any]
) -> None:
    with nothing_changes(), pytest.raises(IntegrityError, match=guard):
        change(ACCOUNT, archived, **values)


@pytest.mark.parametrize(
    ("guard", "values"),
    [
        ("account_closed_fixed", {"display_name": "x"}),
        ("account_archive_fixed", {"pseudonymised_on": "2036-01-12", "archive_sha256": "x"}),
        ("account_archive_fixed", {"pseudonymised_on": None}),
    ],
)
def test_a_purge_happens_once(archived: BillingAccount, clock: Any, guard: str, values: dict[str, Any]) -> None:
    clock(PURGE_DAY)
    purge_accounts()
    with nothing_changes(), pytest.raises(IntegrityError, match=guard):
        change(ACCOUNT, archived, **values)


def test_the_database_refuses_a_purge_while_a_hold_is_open(archived: BillingAccount) -> None:
    set_hold(archived.pk, type="LegalHold", message="case 4", actor=make.PLATFORM)
    with nothing_changes(), pytest.raises(IntegrityError, match="account_pseudonymised_while_held"):
        change(ACCOUNT, archived, pseudonymised_on=PURGE_DAY)


def test_evidence_and_reviews_are_emptied_by_a_purge_and_by_nothing_else(archived: BillingAccount, clock: Any) -> None:
    evidence = ("billing_suspension", archived.suspensions.get(), "suspension_resolution_fixed", "evidence")
    review = ("billing_approvalrequest", requests_of(archived)[0], "approval_decision_fixed", "reviewed")
    for table, row, guard, column in (evidence, review):
        with nothing_changes(), pytest.raises(IntegrityError, match=guard):
            change(table, row, **{column: "{}"})
    clock(PURGE_DAY)
    purge_accounts()
    for table, row, guard, column in (evidence, review):
        with nothing_changes(), pytest.raises(IntegrityError, match=guard):
            change(table, row, **{column: '{"a": "b"}'})


def plan(*arguments: str) -> list[dict[str, str]]:
    out = StringIO()
    call_command("retention", "plan", "--csv", *arguments, stdout=out)
    return list(csv.DictReader(StringIO(out.getvalue())))


def test_the_plan_says_what_will_happen_when(closed: BillingAccount, clock: Any) -> None:
    with nothing_changes():
        (row,) = plan()
    assert row == {
        "organization": "acme-corp",
        "account": "us",
        "phase": "Closed",
        "archiveOn": "2026-04-11",
        "purgeOn": PURGE_DAY,
        "holds": "",
        "due": "",
    }
    assert plan("--as-of", "2026-04-11")[0]["due"] == "Archive"
    clock("2026-04-11")
    archive_accounts()
    assert plan()[0] | {"phase": "", "due": ""} == row | {"phase": "", "archiveOn": ""}
    assert plan("--as-of", PURGE_DAY)[0]["due"] == "Purge"
    set_hold(closed.pk, type="LegalHold", message="case 4", actor=make.PLATFORM)
    assert {key: plan("--as-of", PURGE_DAY)[0][key] for key in ("purgeOn", "holds", "due")} == {
        "purgeOn": "",
        "holds": "LegalHold",
        "due": "Held",
    }
    assert plan("--organization", "other") == []
    out = StringIO()
    call_command("retention", "plan", stdout=out)
    assert "acme-corp" in out.getvalue()


def test_what_comes_is_announced_30_and_7_days_before_once_each(closed: BillingAccount, clock: Any) -> None:
    def announced(about: str, *days: str) -> list[int]:
        told = []
        for day in days:
            clock(day)
            told.append(announce_retention())
            with nothing_changes():
                assert announce_retention() == 0
        notices = Notice.objects.filter(about=about)
        assert {notice.recipient for notice in notices} == {"erika@example.org"}
        return told

    days = ("2026-03-11", "2026-03-12", "2026-03-20", "2026-04-03", "2026-04-04", "2026-04-10", "2026-04-11")
    assert announced("ArchiveComing", *days) == [0, 1, 0, 0, 1, 0, 0]
    assert Notice.objects.filter(about="ArchiveComing")[0].context == {"day": "2026-04-11"}
    archive_accounts()
    later = ("2035-12-11", "2035-12-12", "2036-01-03", "2036-01-04", PURGE_DAY)
    assert announced("PurgeComing", *later) == [0, 1, 0, 1, 0]


@pytest.fixture
def card_digest(monkeypatch: pytest.MonkeyPatch) -> str:
    """The digest of every bundle from now on: one in some 2,000 passes for a card number."""
    digest = "58cd5483180073541372c7626d21ede5a444ea3d731aad92aa05dbcc54b749c4"
    assert card_numbers.found_in(f"bundle sha256:{digest}")
    write = bundles.write

    def write_under_that_digest(account: BillingAccount, *arguments: Any) -> str:
        name = f"{bundles.place(account)}/manifest-%s.json"
        with store().open(name % write(account, *arguments)) as manifest:
            store().save(name % digest, ContentFile(manifest.read()))
        return digest

    monkeypatch.setattr(bundles, "write", write_under_that_digest)
    return digest


def test_a_digest_that_passes_for_a_card_number_stops_no_archival(
    closed: BillingAccount, clock: Any, card_digest: str
) -> None:
    clock("2026-04-11")
    account = archive(closed.pk, actor=ARCHIVIST)
    assert steps(account)[-1] == ("Archived", f"BillingAccountArchived: bundle sha256:{card_digest}")


def test_a_digest_that_passes_for_a_card_number_stops_no_purge(
    archived: BillingAccount, clock: Any, card_digest: str
) -> None:
    clock(PURGE_DAY)
    assert purge_accounts() == 1
    assert steps(archived)[-1] == ("Archived", f"PersonalDataPurged: bundle sha256:{card_digest}")
