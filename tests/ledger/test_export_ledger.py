"""`ledger export` and `python -m milo.verify`: one organization's past, proven without the database."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

import milo.verify
from billing.models import BillingAccount
from milo.ledger import keys, seals
from milo.ledger.models import Seal
from milo.verify import ProofFailed, verify
from projects.models import Organization
from tests.support import make, tamper

pytestmark = pytest.mark.django_db
WITHOUT_DJANGO = (
    "import runpy, sys; sys.modules['django'] = None; sys.argv = ['verify', *sys.argv[1:]];"
    f" runpy.run_path({milo.verify.__file__!r}, run_name='__main__')"
)


@pytest.fixture
def sealed_organization(organization: Organization, settings: Any, tmp_path: Path) -> Organization:
    """An organization whose past is in three seals, two of which hold rows of another too."""
    settings.MILO_LEDGER_HEADS = str(tmp_path / "anchor.jsonl")
    other = make.an_organization("other")
    seals.seal()
    make.a_ready_account(organization, display_name="Ours", invoice_email_addresses=["a@acme-corp.example"])
    make.a_ready_account(other, display_name="Theirs", invoice_email_addresses=["b@other.example"])
    seals.seal()
    make.a_project(organization)
    seals.seal()
    return organization


@pytest.fixture
def bundle(sealed_organization: Organization, tmp_path: Path) -> Path:
    call_command("ledger", "export", str(tmp_path / "bundle.zip"), "--organization", "acme-corp")
    return tmp_path / "bundle.zip"


def rewrite(bundle: Path, part: str, change: Callable[[list[Any]], object]) -> None:
    """Change the lines of one part of a bundle."""
    old = bundle.with_suffix(".old")
    shutil.move(bundle, old)
    with zipfile.ZipFile(old) as before, zipfile.ZipFile(bundle, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == part:
                lines = [json.loads(line) for line in content.splitlines()]
                change(lines)
                content = "".join(json.dumps(line) + "\n" for line in lines).encode()
            after.writestr(name, content)


def test_a_bundle_holds_rows_of_before_and_after_an_upgrade_that_added_a_column(
    sealed_organization: Organization, tmp_path: Path
) -> None:
    with tamper.upgraded(BillingAccount.history.model, "added"):
        make.a_ready_account(sealed_organization)
        seals.seal()
        call_command("ledger", "export", str(tmp_path / "bundle.zip"), "--organization", "acme-corp")
    verify(tmp_path / "bundle.zip", [])
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        rows = [json.loads(json.loads(line)["canonical"]) for line in bundle.read("rows.jsonl").splitlines()]
    accounts = [row["row"] for row in rows if row["table"] == "billing_historicalbillingaccount"]
    assert ["added" in row for row in accounts] == [False, False, True, True]


def test_a_bundle_holds_on_a_machine_without_django(bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DJANGO, str(bundle), "--heads", settings.MILO_LEDGER_HEADS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "rows of acme-corp in 3 seals hold" in done.stdout


def test_a_bundle_holds_by_the_key_that_was_given_apart(bundle: Path) -> None:
    (key,) = Path(settings.MILO_LEDGER_KEYS).glob("*.pub")
    assert "by the keys you named" in verify(bundle, [key])


def test_a_bundle_says_nothing_of_other_organizations(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as parts:
        everything = b"".join(parts.read(name) for name in parts.namelist())
    assert b"Ours" in everything
    assert b"a@acme-corp.example" in everything
    assert b"Theirs" not in everything
    assert b"other" not in everything


def test_a_bundle_has_the_rows_sealed_in_the_time_asked_for(sealed_organization: Organization, tmp_path: Path) -> None:
    second = Seal.objects.get(number=2)
    path = tmp_path / "bundle.zip"
    call_command(
        "ledger", "export", str(path), "--organization", "acme-corp", "--from", second.at.isoformat(),
        "--to", Seal.objects.get(number=3).at.isoformat(),
    )  # fmt: skip
    assert "in 1 seals hold" in verify(path, [])
    with pytest.raises(CommandError, match="nothing was sealed"):
        call_command("ledger", "export", str(path), "--organization", "acme-corp", "--to", "2000-01-01")


def _alter(lines: list[Any]) -> None:
    lines[0]["canonical"] = lines[0]["canonical"].replace("system:tests", "user:nobody")


def _alter_personal(lines: list[Any]) -> None:
    row = next(line for line in lines if "display_name" in line["personal"])
    row["personal"]["display_name"][1] = '"Somebody else"'


def _alter_seal(lines: list[Any]) -> None:
    lines[1]["at"] = lines[0]["at"]


def _forge_key(lines: list[Any]) -> None:
    lines[1]["signature"] = lines[0]["signature"]


@pytest.mark.parametrize(
    ("part", "change", "says"),
    [
        ("rows.jsonl", _alter, "is not what was sealed"),
        ("rows.jsonl", _alter_personal, "display_name of .* is not what was sealed"),
        ("rows.jsonl", lambda lines: lines.pop(), "rows and 3 seals, and not"),
        ("seals.jsonl", _alter_seal, "seal 2 was altered"),
        ("seals.jsonl", lambda lines: lines.pop(1), "seal 3 is not chained"),
        ("seals.jsonl", _forge_key, "the signature of seal 2"),
    ],
    ids=["row", "personal", "fewer rows", "seal", "fewer seals", "signature"],
)
def test_a_bundle_that_was_altered_does_not_hold(
    bundle: Path, part: str, change: Callable[[list[Any]], object], says: str
) -> None:
    rewrite(bundle, part, change)
    with pytest.raises(ProofFailed, match=says):
        verify(bundle, [])


def test_a_forged_chain_does_not_hold_by_the_key_or_the_heads_that_were_given_apart(
    bundle: Path, tmp_path: Path, settings: Any
) -> None:
    genuine = tmp_path / "genuine.pub"
    genuine.write_text(keys.pem(keys.signing_key().public_key()))
    heads = tmp_path / "heads.jsonl"
    heads.write_text("".join(json.dumps({"number": s.number, "digest": s.digest}) + "\n" for s in Seal.objects.all()))
    settings.MILO_LEDGER_KEYS = str(tmp_path / "forged")
    settings.MILO_LEDGER_SIGNING_KEY = keys.new_key()
    with tamper.guards_off():
        Seal.objects.all()._raw_delete("default")
        seals.seal()
    call_command("ledger", "export", str(bundle), "--organization", "acme-corp")
    assert "its own keys, which anybody could have made" in verify(bundle, [])
    with pytest.raises(ProofFailed, match="unknown key"):
        verify(bundle, [genuine])
    with pytest.raises(ProofFailed, match="not the seal that was handed over"):
        verify(bundle, [], [heads])


@pytest.mark.once
def test_a_file_that_is_no_bundle_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none.zip").write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
    monkeypatch.setattr(sys, "argv", ["verify", str(tmp_path / "none.zip")])
    assert milo.verify.main() == 2
