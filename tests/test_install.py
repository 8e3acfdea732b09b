"""`requirements/install`: what it lacks it says in one line, and what is installed it leaves alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
NO_VENV_MODULE = 'case "$2" in *ensurepip*) exit 1;; *platform*) echo 3.11.2;; esac'
TOO_OLD = 'case "$2" in *platform*) echo 3.9.2;; *) exit 1;; esac'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that has nothing but the requirements."""
    shutil.copytree(REQUIREMENTS, tmp_path / "requirements")
    return tmp_path


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def install(checkout: Path, lock: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(checkout / "python")}
    command = [str(checkout / "requirements" / "install"), lock]
    return subprocess.run(command, env=environment, capture_output=True, check=False, text=True)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("", "Milo needs Python 3.11 or newer, and there is no {python} here: install it, or name yours"),
        (TOO_OLD, "Milo needs Python 3.11 or newer, and {python} is 3.9.2: name a newer one"),
        (NO_VENV_MODULE, "{python} has no venv module: install it (on Debian: apt install python3-venv)"),
    ],
    ids=["no Python", "too old a Python", "no venv module"],
)
def test_a_machine_that_lacks_something_is_told_in_one_line(checkout: Path, python: str, said: str) -> None:
    if python:
        program(checkout / "python", python)
    done = install(checkout, "base")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(said.format(python=checkout / "python"))
    assert not (checkout / ".venv").exists()


def test_a_lock_is_installed_once_with_hashes_and_again_when_it_changes(checkout: Path) -> None:
    asked = checkout / "asked"
    program(checkout / ".venv" / "bin" / "pip", f'echo "$@" >>{asked}')
    command = "install --quiet --disable-pip-version-check --require-hashes -r requirements/{}.txt"

    assert [install(checkout, "base").returncode for _ in range(2)] == [0, 0]
    assert asked.read_text().splitlines() == [command.format("base")]

    with (checkout / "requirements" / "base.txt").open("a") as lock:
        lock.write("# changed\n")
    assert install(checkout, "base").returncode == 0
    assert asked.read_text().splitlines() == [command.format("base")] * 2

    assert install(checkout, "dev").returncode == 0
    assert install(checkout, "base").returncode == 0
    assert asked.read_text().splitlines() == [*[command.format("base")] * 2, command.format("dev")]


def test_tools_that_milo_never_imports_have_a_venv_of_their_own(checkout: Path) -> None:
    for venv in (".venv", ".venv-security", ".venv-mutation"):
        program(checkout / venv / "bin" / "pip", f'echo "{venv} ${{*#*--require-hashes }}" >>{checkout / "asked"}')
    # an installation for developers has what base has, and none of these
    locks = ("dev", "security", "security", "mutation", "mutation")
    assert [install(checkout, lock).returncode for lock in locks] == [0] * len(locks)
    assert (checkout / "asked").read_text().splitlines() == [
        ".venv -r requirements/dev.txt",
        ".venv-security -r requirements/security.txt",
        ".venv-mutation -r requirements/dev.txt -r requirements/mutation.txt",
    ]
    with (checkout / "requirements" / "dev.txt").open("a") as lock:
        lock.write("# changed\n")
    assert install(checkout, "mutation").returncode == 0
    assert len((checkout / "asked").read_text().splitlines()) == 4


def test_an_installation_that_fails_is_tried_again(checkout: Path) -> None:
    program(checkout / ".venv" / "bin" / "pip", "exit 1")
    assert [install(checkout, "dev").returncode for _ in range(2)] == [1, 1]
