"""An old backup is restored: what was lost is named and signed, and everything else is still found."""

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from milo.ledger import keys, seals
from milo.ledger.models import Inspection, Seal
from milo.verify import ProofFailed, verify
from tests.support import make, tamper
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db
LOST = "an old backup was restored after a fire"


@pytest.fixture
def heads(settings: Any, tmp_path: Path) -> Path:
    """The heads of four seals, of which the restored database has two, and has made a third of its own."""
    settings.MILO_LEDGER_HEADS = str(tmp_path / "heads.jsonl")
    for _ in range(2):
        make.an_organization()
        seals.seal()
    with tamper.guards_off():
        for _ in range(2):
            make.an_organization()
            seals.seal()
        shutil.copy(tmp_path / "heads.jsonl", tmp_path / "before.jsonl")
        Seal.objects.filter(number__gt=2)._raw_delete("default")
        make.an_organization()
        seals.seal()
    return tmp_path / "heads.jsonl"


def ledger(*arguments: str | Path) -> str:
    out = StringIO()
    call_command("ledger", *map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def record(heads: Path) -> str:
    return ledger("break", "--against", heads, "--reason", LOST, "--record")


def test_two_heads_of_one_seal_are_refused_with_the_way_on(heads: Path) -> None:
    with pytest.raises(CommandError, match=r"another head of seal 3 .*`manage\.py ledger break`"):
        ledger("verify", "--against", heads)


def test_a_preview_names_what_is_lost_and_records_nothing(heads: Path) -> None:
    before = heads.read_text()
    with nothing_changes():
        said = ledger("break", "--against", heads, "--reason", LOST)
    assert "2 heads of seals 3 to 4, sealed from " in said
    assert "agrees with the heads up to seal 2" in said
    assert "nothing was recorded" in said
    assert heads.read_text() == before


def test_once_recorded_verify_acknowledges_the_loss_and_keeps_its_proof(heads: Path) -> None:
    before = heads.read_text()
    with nothing_changes():
        record(heads)
    assert heads.read_text().startswith(before)
    said = ledger("verify", "--against", heads)
    assert "acknowledged: 2 seals after seal 2 (3 to 4) were lost by a restore, recorded at " in said
    assert f"by system:shell: {LOST}" in said
    assert Inspection.objects.get(name="verify").violations == 0
    make.an_organization()
    seals.seal()
    assert "rows of 4 seals verified" in ledger("verify", "--against", heads)
    with pytest.raises(CommandError, match="nothing was lost"):
        record(heads)


def test_heads_that_the_chain_has_not_reached_again_are_lost_too(heads: Path, settings: Any) -> None:
    before = heads.with_name("before.jsonl")
    settings.MILO_LEDGER_HEADS = str(before)
    with tamper.guards_off():
        Seal.objects.filter(number__gt=1)._raw_delete("default")
    with pytest.raises(CommandError, match="the ledger is not what was sealed"):
        ledger("verify", "--against", before)
    record(before)
    assert "3 seals after seal 1 (2 to 4) were lost" in ledger("verify", "--against", before)


def test_whatever_else_differs_still_fails(heads: Path) -> None:
    record(heads)
    with tamper.guards_off():
        Seal.objects.filter(number=3)._raw_delete("default")
    with pytest.raises(CommandError, match="the ledger is not what was sealed"):
        ledger("verify", "--against", heads)
    with tamper.guards_off():
        seals.seal()
    with pytest.raises(CommandError, match="another head of seal 3"):
        ledger("verify", "--against", heads)
    with heads.open("a") as file:
        file.write(json.dumps({"number": 2, "digest": "0" * 64}) + "\n")
    with pytest.raises(CommandError, match=r"another head of seal [23]"):
        ledger("verify", "--against", heads)


def test_a_second_restore_is_a_second_break(heads: Path) -> None:
    record(heads)
    with tamper.guards_off():
        Seal.objects.filter(number__gt=1)._raw_delete("default")
        make.an_organization()
        seals.seal()
    with pytest.raises(CommandError):
        ledger("verify", "--against", heads)
    assert "2 seals after seal 1 (2 to 3) were lost" in record(heads)
    assert ledger("verify", "--against", heads).count("acknowledged: ") == 2


@pytest.mark.parametrize("change", ["reason", "lost", "signature", "keyId"])
def test_a_break_that_was_altered_or_forged_explains_nothing(heads: Path, change: str) -> None:
    record(heads)
    *others, line = heads.read_text().splitlines()
    forged = json.loads(line)
    if change in ("reason", "lost"):
        forged["break"][change] = "nothing happened" if change == "reason" else [[1, "0" * 64]]
    else:
        forged[change] = "0" * 64
    heads.write_text("\n".join([*others, json.dumps(forged)]) + "\n")
    with pytest.raises(CommandError, match=r"the break after seal 2 in .* has no signature of a trusted key"):
        ledger("verify", "--against", heads)


def test_heads_that_we_have_not_signed_are_not_what_a_restore_has_lost(heads: Path) -> None:
    with heads.open("a") as file:
        file.write(json.dumps({"number": 3, "digest": "0" * 64}) + "\n")
    before = heads.read_text()
    with pytest.raises(CommandError, match="of seal 3 is not signed by a key that this host trusts"):
        record(heads)
    assert heads.read_text() == before


def test_nothing_is_recorded_without_a_reason_a_loss_or_a_key(heads: Path, settings: Any, tmp_path: Path) -> None:
    before = heads.read_text()
    with pytest.raises(CommandError, match="--reason must say why"):
        ledger("break", "--against", heads, "--reason", " ", "--record")
    (tmp_path / "broken.jsonl").write_text("[1]\n")
    with pytest.raises(CommandError, match="is not a list of heads"):
        record(tmp_path / "broken.jsonl")
    folder = tmp_path / "keys"
    folder.mkdir()
    public = keys.signing_key().public_key()
    (folder / "only.pub").write_text(keys.pem(public))
    settings.MILO_LEDGER_KEYS = str(folder)
    with pytest.raises(CommandError, match="there is no key to sign the ledger"):
        record(heads)
    assert heads.read_text() == before


def test_a_bundle_that_was_exported_after_the_restore_holds_against_the_heads(heads: Path, tmp_path: Path) -> None:
    make.a_project(make.an_organization("acme-corp"))
    seals.seal()
    bundle = tmp_path / "bundle.zip"
    ledger("export", bundle, "--organization", "acme-corp")
    with pytest.raises(ProofFailed, match="another head of seal 3"):
        verify(bundle, [], [heads])
    record(heads)
    assert "acknowledged: 2 seals after seal 2 (3 to 4)" in verify(bundle, [], [heads])
