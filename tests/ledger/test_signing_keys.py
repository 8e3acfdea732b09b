"""Keys that sign seals: given by the operator, changed, of several hosts; made by Milo in development only."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.core.management import CommandError, call_command

from milo.ledger import keys, seals
from milo.ledger.models import Inspection, Seal
from milo.ledger.verification import verify
from milo.settings.environment import MARKER
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """The folders of keys and data of a new installation: both are empty."""
    settings.DATA_DIR = tmp_path / "data"
    settings.MILO_LEDGER_KEYS = str(tmp_path / "keys")
    settings.MILO_LEDGER_HEADS = str(tmp_path / "heads.jsonl")
    settings.DATA_DIR.mkdir()
    return tmp_path / "keys"


def give(folder: Path, key: str) -> str:
    """Make `key` the one that signs, and return its id."""
    folder.mkdir(exist_ok=True)
    (folder / keys.PRIVATE).write_text(key)
    return keys.key_id(keys.signing_key().public_key())


def ledger(*arguments: str | Path) -> str:
    out = StringIO()
    call_command("ledger", *map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def test_without_a_key_nothing_is_sealed_and_none_is_made(folder: Path) -> None:
    make.an_organization()
    with pytest.raises(keys.KeyUnusable, match=r"`manage\.py ledger key` prints a new one"):
        seals.seal()
    with pytest.raises(CommandError, match="there is no key to sign the ledger"):
        ledger("seal")
    with pytest.raises(keys.KeyUnusable):
        seals.require_key()
    with pytest.raises(keys.KeyUnusable):
        keys.require_trusted()
    assert not Seal.objects.exists()
    assert not folder.exists()
    assert Inspection.objects.get(name="seal").violations == 1


@pytest.mark.parametrize("development", ["debug", "marker"])
def test_development_makes_its_key_once(folder: Path, settings: Any, development: str) -> None:
    settings.DEBUG = development == "debug"
    if development == "marker":
        (settings.DATA_DIR / MARKER).touch()
    made = keys.signing_key().private_bytes_raw()
    assert keys.signing_key().private_bytes_raw() == made
    assert (folder / keys.PRIVATE).stat().st_mode & 0o077 == 0


def test_the_command_prints_a_key_that_can_be_given_and_stores_none(folder: Path, settings: Any) -> None:
    printed = ledger("key")
    assert not folder.exists()
    assert ledger("key") != printed
    settings.MILO_LEDGER_SIGNING_KEY = printed
    make.an_organization()
    assert seals.seal() > 0
    assert verify().faults == []
    assert not (folder / keys.PRIVATE).exists()
    assert ledger("key", "--public") == (folder / f"{Seal.objects.get().key_id}.pub").read_text()


def test_a_changed_key_verifies_what_the_old_one_signed_while_that_is_trusted(folder: Path) -> None:
    old = give(folder, keys.new_key())
    make.an_organization()
    seals.seal()
    new = give(folder, keys.new_key())
    make.an_organization()
    seals.require_key()
    seals.seal()
    assert [seal.key_id for seal in Seal.objects.order_by("number")] == [old, new]
    assert verify().faults == []
    (folder / f"{old}.pub").unlink()
    (fault,) = verify().faults
    assert fault.message == f"signed with an unknown key {old}; if it is yours, put {old}.pub into MILO_LEDGER_KEYS"


def test_another_host_without_the_key_of_the_newest_seal_is_refused(
    folder: Path, settings: Any, tmp_path: Path
) -> None:
    first = give(folder, keys.new_key())
    make.an_organization()
    seals.seal()
    settings.MILO_LEDGER_KEYS = str(tmp_path / "other")
    give(tmp_path / "other", keys.new_key())
    with pytest.raises(keys.KeyUnusable, match=rf"seal 1 was signed with the key {first}, which .* {first}\.pub"):
        seals.require_key()
    (tmp_path / "other" / f"{first}.pub").write_text((folder / f"{first}.pub").read_text())
    seals.require_key()


def test_a_host_that_only_verifies_needs_public_keys_alone(folder: Path) -> None:
    give(folder, keys.new_key())
    make.an_organization()
    seals.seal()
    (folder / keys.PRIVATE).unlink()
    keys.require_trusted()
    assert verify().faults == []
    with pytest.raises(keys.KeyUnusable):
        seals.require_key()


RSA = (
    generate_private_key(65537, 2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)


@pytest.mark.parametrize("content", ["", "key", RSA, keys.new_key()[:60]], ids=["empty", "text", "RSA", "cut"])
def test_a_file_that_is_no_key_is_named(folder: Path, content: str) -> None:
    with pytest.raises(keys.KeyUnusable, match=rf"{folder}/signing\.pem must be an Ed25519 private key in PEM"):
        give(folder, content)


def test_a_public_key_that_is_none_is_named(folder: Path) -> None:
    give(folder, keys.new_key())
    (folder / "of-the-other-host.pub").write_text(keys.new_key())
    with pytest.raises(CommandError, match=r"of-the-other-host\.pub is not a public key in PEM"):
        ledger("verify")


def test_heads_of_several_hosts_are_one_list(folder: Path, settings: Any, tmp_path: Path) -> None:
    give(folder, keys.new_key())
    files = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for number in range(4):
        settings.MILO_LEDGER_HEADS = str(files[number % 2])
        make.an_organization()
        seals.seal()
    assert "rows of 4 seals verified" in ledger("verify", "--against", *files)
    head = json.loads(files[1].read_text().splitlines()[0])
    with files[0].open("a") as file:
        file.write(json.dumps(head | {"digest": "0" * 64}) + "\n")
    with pytest.raises(CommandError, match=r"two\.jsonl has another head of seal 2 than an earlier line or file"):
        ledger("verify", "--against", *files)
