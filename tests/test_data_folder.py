"""The data folder: closed to other users, whatever writes it and however it was found."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from milo import data_folder
from milo.settings.environment import MARKER
from tests.support import database


def open_to_others(folder: Path) -> list[str]:
    paths = [folder, *folder.rglob("*")]
    return sorted(
        str(path.relative_to(folder)) for path in paths if path.lstat().st_mode & 0o077 and not path.is_symlink()
    )


def run(folder: Path, code: str) -> str:
    """Run `code` in a process of its own, as `umask 022` would have it, with its data in `folder`."""
    environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "MILO_SECRET_KEY")}
    ran = subprocess.run(
        ["/bin/sh", "-c", 'umask 022; exec "$0" -c "$1"', sys.executable, code],
        cwd=settings.BASE_DIR,
        env=environment | {"MILO_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "milo.settings"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return ran.stderr


@pytest.mark.once
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the file of a database is SQLite's")
def test_what_is_written_there_is_closed_to_others(tmp_path: Path, django_db_setup: None) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / MARKER).touch()
    # the process makes the file itself, and fills it by a copy: to migrate would take ten seconds
    database.copy_to(tmp_path / "migrated")
    run(
        folder,
        """
import sqlite3
import django; django.setup()
from pathlib import Path
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.mail import send_mail
from django.db import connection
from milo.broker.spool import Spool
from milo.dev.certificate import development_certificate
from milo.dev.child import Child
from milo.dev import ownership
from milo.dev.kubeconfig import write_kubeconfig
from milo.dev.people import ensure_people
from milo.ledger.seals import seal

connection.cursor().execute("CREATE TABLE probe (a INTEGER)")
sqlite3.connect(settings.DATA_DIR.parent / "migrated").backup(connection.connection)
connection.cursor().execute("CREATE TABLE probe (a INTEGER)")
send_mail("subject", "text", None, ["a@example.com"])
storages["archive"].save("acme-corp/us.json", ContentFile(b"{}"))
ownership.mark(settings.DATA_DIR)
Spool(settings.DATA_DIR / "broker").put("work", b"{}")
certificate = development_certificate(settings.DATA_DIR / "tls")
_passwords, tokens = ensure_people(settings.DATA_DIR)
write_kubeconfig(settings.DATA_DIR / "kubeconfig", "https://127.0.0.1", certificate.authority, tokens, "acme-corp")
child = Child("probe", ["-c", "pass"], (), settings.DATA_DIR / "logs" / "probe.log", print)
child.begin()
child.end(60)
seal()
""",
    )
    written = {path.name for path in folder.rglob("*") if path.is_file()}
    expected = {"secret_key", "milo.sqlite3", "us.json", "server.pem", "kubeconfig", "tokens.json", "probe.log"}
    assert expected <= written
    assert {path.name for path in folder.iterdir()} >= {"mail", "archive", "broker", "ledger-keys"}
    assert open_to_others(folder) == []


@pytest.mark.once
def test_a_folder_that_was_open_is_closed_at_start_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "mail").mkdir(parents=True)
    for path in (folder / "milo.sqlite3", folder / "milo.sqlite3-wal", folder / "mail" / "1.log"):
        path.touch()
        path.chmod(0o644)
    folder.chmod(0o755)
    (folder / "mail").chmod(0o755)
    logged = run(folder, "import django; django.setup()")
    [line] = [line for line in logged.splitlines() if "data_folder_closed" in line]
    assert f"folder={folder}" in line
    assert "number=5" in line
    assert open_to_others(folder) == []
    assert "data_folder" not in run(folder, "import django; django.setup()")


def test_a_folder_of_everybody_and_what_links_lead_to_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared, own, elsewhere = tmp_path / "shared", tmp_path / "own", tmp_path / "elsewhere"
    for path in (shared, own, elsewhere):
        path.mkdir()
        path.chmod(0o755)
    (own / "link").symlink_to(elsewhere)
    shared.chmod(0o1777)
    data_folder.close(shared)
    data_folder.close(own)
    assert "data_folder_is_shared" in capsys.readouterr().err
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    data_folder.close(tmp_path / "missing")
