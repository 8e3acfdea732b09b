"""`ledger verify`: whoever has the database's own keys and alters the past is found, and the row is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import serializers
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from billing.models import BillingAccount, BillingAccountBinding
from milo import append_only
from milo.kube.models import Change
from milo.ledger import keys, processes, proofs, seals, verification
from milo.ledger.models import Inspection, Salt, Seal
from milo.ledger.shapes import Shape, shape_of, unstated
from milo.ledger.tables import MESSAGE, all_tables, table_of
from milo.ledger.verification import verify
from tests.support import make, tamper
from tests.support.database import as_owner

pytestmark = pytest.mark.django_db
PAST = BillingAccount.history.model


@pytest.fixture
def accounts() -> list[BillingAccount]:
    """Three accounts whose past is sealed, in two seals."""
    organization = make.an_organization()
    first = [make.a_ready_account(organization, display_name=f"Account {number}") for number in range(2)]
    seals.seal()
    made = [*first, make.a_ready_account(organization)]
    make.a_binding(make.a_project(organization), made[0])
    seals.seal()
    return made


def rows(model: Any = PAST) -> list[Any]:
    return list(model.objects.order_by("pk"))


def faults(**how: Any) -> list[tuple[str, int | None]]:
    return [(fault.table, fault.row) for fault in verify(**how).faults]


def forge_change() -> tuple[str, int]:
    change = rows(Change)[2]
    tamper.alter(change, actor="user:nobody")
    return "kube_change", change.pk


def alter() -> tuple[str, int]:
    tamper.alter(rows()[0], net_days=90)
    return "billing_historicalbillingaccount", rows()[0].pk


def alter_personal() -> tuple[str, int]:
    row = PAST.objects.exclude(display_name="").earliest("pk")
    tamper.alter(row, display_name="Somebody else")
    return "billing_historicalbillingaccount", row.pk


def alter_why() -> tuple[str, int]:
    tamper.alter(rows()[2], history_change_message="another story")
    return "billing_historicalbillingaccount", rows()[2].pk


def remove_in_the_middle() -> tuple[str, int]:
    row = rows()[2]
    tamper.remove(row)
    return "billing_historicalbillingaccount", row.pk


def remove_the_tail() -> tuple[str, int]:
    tail = rows(Change)[-2:]
    tamper.remove(*tail)
    return "kube_change", tail[0].pk


def insert() -> tuple[str, int]:
    one = rows()[0]
    key = one.pk
    remove_key = rows()[-1].pk - 1
    tamper.remove(PAST.objects.get(pk=remove_key))
    tamper.insert(PAST.objects.get(pk=key), remove_key)
    return "billing_historicalbillingaccount", remove_key


def swap() -> tuple[str, int]:
    one, other = rows()[:2]
    first = min(one.pk, other.pk)
    tamper.swap(one, other)
    return "billing_historicalbillingaccount", first


def lose_a_salt() -> tuple[str, int]:
    row = PAST.objects.exclude(display_name="").earliest("pk")
    Salt.objects.filter(subject=str(row.uid)).delete()
    return "billing_historicalbillingaccount", row.pk


def move_a_live_binding() -> tuple[str, int]:
    binding = BillingAccountBinding.objects.get()
    tamper.alter(binding, account=BillingAccount.objects.latest("pk"))
    return "billing_billingaccountbinding", binding.pk


def remove_a_live_binding() -> tuple[str, int]:
    binding = BillingAccountBinding.objects.get()
    tamper.remove(binding)
    return "billing_billingaccountbinding", binding.pk


TAMPERING: list[Callable[[], tuple[str, int]]] = [
    forge_change,
    alter,
    alter_personal,
    alter_why,
    remove_in_the_middle,
    remove_the_tail,
    insert,
    swap,
    lose_a_salt,
    move_a_live_binding,
    remove_a_live_binding,
]


def test_an_untouched_ledger_verifies_whole(accounts: list[BillingAccount]) -> None:
    report = verify()
    assert (report.faults, report.seals, report.unsealed) == ([], 2, 0)
    assert report.rows == sum(part["rows"] for seal in Seal.objects.all() for part in seal.tables.values()) > 10


@pytest.mark.parametrize("tampering", TAMPERING, ids=lambda act: act.__name__)
def test_what_the_owner_did_with_the_guards_off_is_found_and_named(
    accounts: list[BillingAccount], tampering: Callable[[], tuple[str, int]]
) -> None:
    with tamper.guards_off():
        first = tampering()
    assert first in faults()


def test_a_row_put_where_none_had_been_is_named(accounts: list[BillingAccount]) -> None:
    """A key that a rolled back act has used up stays free, and no row may appear there."""
    with tamper.guards_off():
        gap = rows()[0]
        tamper.remove(gap)
        newest = rows()[-1]
        Seal.objects.all()._raw_delete("default")
        Salt.objects.all()._raw_delete("default")
        seals.seal()
        assert faults() == []
        tamper.insert(newest, gap.pk)
    (fault,) = verify().faults
    assert (fault.table, fault.row, fault.message) == (
        PAST._meta.db_table,
        gap.pk,
        "was inserted after it had been sealed",
    )


def test_a_seal_made_anew_over_forged_rows_is_not_the_one_that_was_handed_over(
    accounts: list[BillingAccount],
) -> None:
    heads = {seal.number: seal.digest for seal in Seal.objects.all()}
    with tamper.guards_off():
        tamper.alter(rows()[0], net_days=90)
        Seal.objects.all()._raw_delete("default")
        seals.seal()
    assert faults() == []
    assert faults(heads=heads) == [("ledger_seal", None)]


def test_seals_cut_off_with_their_rows_are_missed_by_the_heads(accounts: list[BillingAccount]) -> None:
    heads = {seal.number: seal.digest for seal in Seal.objects.all()}
    with tamper.guards_off():
        tamper.remove(Seal.objects.latest("number"))
    assert faults() == []
    (fault,) = verify(heads=heads).faults
    assert fault.message == "seals up to number 2 were handed over, and the chain ends at 1"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"previous": "0" * 64}, "is not chained to the seal before it"),
        ({"tables": {}}, "was altered"),
        ({"signature": "AAAA"}, "the signature is not the key's"),
        ({"key_id": "0" * 64}, "signed with an unknown key"),
        ({"leaves": b""}, "the leaves of the seal were altered"),
    ],
    ids=["chain", "digests", "signature", "key", "leaves"],
)
def test_an_altered_seal_is_found(accounts: list[BillingAccount], columns: dict[str, Any], message: str) -> None:
    with tamper.guards_off():
        tamper.alter(Seal.objects.latest("number"), **columns)
        if "leaves" in columns:  # nobody looks at them until a row differs
            tamper.alter(rows(Change)[-1], actor="user:nobody")
    assert any(fault.message.startswith(message) for fault in verify().faults)


def test_rows_sealed_before_an_instant_are_left_out(accounts: list[BillingAccount]) -> None:
    second = Seal.objects.latest("number")
    with tamper.guards_off():
        tamper.alter(rows()[0], net_days=90)
    assert faults(since=second.at) == []
    assert verify(since=second.at).rows == sum(part["rows"] for part in second.tables.values())


def test_the_command_names_what_differs_fails_and_leaves_the_last_success(
    accounts: list[BillingAccount], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = tmp_path / "heads.jsonl"
    heads.write_text("".join(json.dumps({"number": s.number, "digest": s.digest}) + "\n" for s in Seal.objects.all()))
    call_command("ledger", "verify", "--against", str(heads))
    assert "rows of 2 seals verified, 0 rows await a seal" in capsys.readouterr().out
    succeeded = Inspection.objects.get(name="verify").succeeded_at
    with tamper.guards_off():
        table, row = alter()
    with pytest.raises(CommandError):
        call_command("ledger", "verify")
    assert f"{table} row {row} (seal 1): was altered" in capsys.readouterr().err
    found = Inspection.objects.get(name="verify")
    assert (found.succeeded_at, found.violations) == (succeeded, 1)


def first_version() -> Any:
    """What the first version sealed, and the `tables` that it sealed, with their columns."""
    return json.loads((Path(__file__).parent / "sealed_before.json").read_text())


@pytest.fixture
def sealed_before(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first version sealed: texts beyond ASCII, a fraction in a label, an account that was redacted since."""
    # nobody has purged that account
    monkeypatch.delitem(proofs._registered, "redactions")
    was = first_version()
    settings.MILO_LEDGER_KEYS = str(tmp_path)
    settings.MILO_LEDGER_SIGNING_KEY = keys.new_key()
    (tmp_path / "earlier.pub").write_text(was["key"])
    with tamper.guards_off():
        for row, made in zip(was["rows"], serializers.deserialize("python", was["rows"]), strict=True):
            if MESSAGE in {column.name for column in made.object._meta.fields}:
                # as the migration does (milo/audit/operations.py)
                past: Any = made.object
                reason, _colon, message = past.history_change_reason.partition(": ")
                past.history_change_reason, past.history_change_message = reason, message
            if isinstance(made.object, Change):
                # Django would make a text of Python of it
                made.object.manifest = row["fields"]["manifest"]
            type(made.object)._base_manager.bulk_create([made.object])


def test_what_the_first_version_sealed_still_verifies(sealed_before: None) -> None:
    report = verify()
    since = [table for table in all_tables() if table.name not in first_version()["tables"]]
    unsealed = sum(table.model._base_manager.count() for table in since)
    assert (report.faults, report.rows, report.unsealed) == ([], 20, unsealed)
    with tamper.guards_off():
        tamper.alter(rows()[0], net_days=90)
    assert faults() == [(PAST._meta.db_table, rows()[0].pk)]


@pytest.mark.parametrize("name", first_version()["tables"])
def test_each_column_that_the_first_version_did_not_seal_is_named_as_later(name: str) -> None:
    """On a failure here: name the new column in `later_columns` of its model."""
    sealed, table = first_version()["tables"][name], table_of(name)
    first = Shape(tuple(sealed["columns"]), tuple(sealed["personal"]))
    assert unstated(table, None) == unstated(table, shape_of(table)) == unstated(table, first) == first


def test_rows_sealed_before_an_upgrade_added_a_column_still_verify_and_newer_ones_with_it(
    accounts: list[BillingAccount],
) -> None:
    with tamper.upgraded(PAST, "added"):
        assert faults() == []
        newest = make.a_ready_account(accounts[0].organization).history.latest()
        seals.seal()
        assert faults() == []
        with tamper.guards_off():
            tamper.alter(newest, added="forged")
        assert faults() == [(PAST._meta.db_table, newest.pk)]
        with tamper.guards_off():
            tamper.alter(newest, added=None)
            tamper.alter(rows()[0], net_days=90)
        assert faults() == [(PAST._meta.db_table, rows()[0].pk)]


def test_what_was_sealed_before_seals_stated_columns_has_those_stated_first(sealed_before: None) -> None:
    newest = Change.objects.latest("pk")
    tamper.insert(newest, newest.pk + 1)
    seals.seal()
    with tamper.upgraded(PAST, "added"):
        assert faults() == []


def test_seals_state_columns_where_they_changed(accounts: list[BillingAccount]) -> None:
    with tamper.upgraded(PAST, "added"):
        for _ in range(2):
            make.a_ready_account(accounts[0].organization)
            seals.seal()
    stated = [seal.tables[PAST._meta.db_table].get("columns") for seal in Seal.objects.order_by("number")]
    assert [columns and "added" in columns for columns in stated] == [False, None, True, None]


def test_a_sealed_column_that_is_gone_is_named(accounts: list[BillingAccount]) -> None:
    with tamper.upgraded(PAST, "added"):
        make.a_ready_account(accounts[0].organization)
        seals.seal()
    (fault,) = verify().faults
    assert (fault.seal, fault.table, fault.row) == (3, PAST._meta.db_table, None)
    assert "added is gone" in fault.message


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_rows_are_read_by_several_processes_that_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    organization = make.an_organization()
    for _ in range(3):
        make.a_ready_account(organization)
        seals.seal()
    monkeypatch.setattr(verification, "ALONE", 0)
    monkeypatch.setattr(verification, "PIECE", 2)
    monkeypatch.setattr(processes, "how_many", lambda: 2)
    told: list[tuple[int, int]] = []
    report = verify(progress=lambda *done: told.append(done))
    assert (report.faults, report.seals) == ([], 3)
    assert len(told) > 3
    assert told[-1][0] == told[-1][1] > report.rows
    first, second = PAST.objects.order_by("pk")[:2]
    with tamper.guards_off():
        tamper.alter(first, net_days=90)
        # the newest row of the first account: the live one differs from it
        tamper.alter(second, net_days=90)
    with as_owner():
        append_only.install(connection, append_only.all_guards())
    assert faults() == [(PAST._meta.db_table, first.pk), (BillingAccount._meta.db_table, second.id)]


def test_heads_are_on_the_disk_that_the_settings_name(accounts: list[BillingAccount]) -> None:
    kept = [json.loads(line) for line in Path(settings.MILO_LEDGER_HEADS).read_text().splitlines()]
    assert [head["digest"] for head in kept[-2:]] == list(
        Seal.objects.order_by("number").values_list("digest", flat=True)
    )
