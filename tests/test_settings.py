"""The environment as settings read it: production passes Django's checklist, a fault is told by its variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent


def check(tmp_path: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` of an installation of its own."""
    given = {"PATH": os.environ["PATH"], "MILO_DATA_DIR": str(tmp_path), **environment}
    command = [sys.executable, "manage.py", "check", *options]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, check=False, text=True)


def test_an_installation_behind_tls_passes_djangos_checklist_for_deployment(tmp_path: Path) -> None:
    done = check(tmp_path, "--deploy", "--fail-level", "WARNING", MILO_HTTPS_ONLY="1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("MILO_LEDGER_ANCHOR_OPTIONS", "{", "must be a JSON object"),
        ("MILO_OIDC", "[]", "must be a JSON object"),
        ("MILO_EMAIL_PORT", "smtp", "must be a whole number"),
        ("MILO_EMAIL_FROM", "billing@☃.example", "has a domain that IDNA 2008 refuses"),
        (
            "MILO_EMAIL_FROM",
            "Rechnüng <rechnüng@example.org>",
            "must be an e-mail address with ASCII letters only before the @",
        ),
        ("MILO_MESSAGE_ID_DOMAIN", "xn--a.example", "has a domain that IDNA 2008 refuses"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(tmp_path: Path, variable: str, value: str, told: str) -> None:
    done = check(tmp_path, **{variable: value})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"{variable} {told}") or f"{variable} {told}:" in done.stderr
