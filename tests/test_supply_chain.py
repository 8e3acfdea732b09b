"""What an installation is made of: locks with hashes, a software bill of materials, and an audit that cannot be silent.

The tools have a venv that CI does not make, so stand-ins record how they are called.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import milo

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
NAMES = sorted(path.stem for path in REQUIREMENTS.glob("*.in"))
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((REQUIREMENTS / f"{lock}.txt").read_text()))


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without sources, whose tools record their arguments in the file `asked`."""
    shutil.copytree(REQUIREMENTS, tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "milo").mkdir()
    shutil.copy(ROOT / "milo" / "__init__.py", tmp_path / "milo")
    return tmp_path


def run(checkout: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "requirements" / name), *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True)


@pytest.mark.parametrize("name", NAMES)
def test_each_lock_has_what_was_asked_for_and_a_hash_for_every_package(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    asked = {line.split("[")[0] for line in PIN.sub(r"\1", (REQUIREMENTS / f"{name}.in").read_text()).splitlines()}
    locked = pins(name)
    assert {each for each in asked if not each.startswith("-")} <= locked.keys()
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text


def test_tools_are_no_part_of_an_installation() -> None:
    tools = {
        name
        for lock in ("security", "mutation")
        for name in dict(PIN.findall((REQUIREMENTS / f"{lock}.in").read_text()))
    }
    assert tools == {"cyclonedx-bom", "pip-audit", "mutmut"}
    assert not tools & (pins("base").keys() | pins("dev").keys())


def test_the_bill_of_materials_is_of_the_lock_that_the_image_installs(checkout: Path) -> None:
    program(
        checkout / ".venv-security" / "bin" / "cyclonedx-py",
        f"""echo "$@" >{checkout}/asked; grep '^version = "' "$4" >>{checkout}/asked; echo '"purl"' >milo.cdx.json""",
    )
    done = run(checkout, "sbom")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"milo.cdx.json: 1 packages of Milo {milo.__version__}\n"
    command, version = (checkout / "asked").read_text().splitlines()
    assert command.startswith("requirements requirements/base.txt --pyproject ")
    assert command.endswith("--output-file milo.cdx.json")
    assert version == f'version = "{milo.__version__}"'
    installed = re.findall(r"--requirement (\S+)", (ROOT / "deploy" / "Containerfile").read_text())
    assert installed == ["requirements/base.txt"]


def test_an_audit_without_data_fails_and_says_that_nothing_was_audited(checkout: Path) -> None:
    tools = checkout / ".venv-security" / "bin"
    program(tools / "python", f'echo "$2" >{checkout}/asked; exit 1')
    program(tools / "pip-audit", f"echo audited >>{checkout}/asked")
    assert run(checkout, "audit").returncode == 2
    assert (checkout / "asked").read_text() == f"https://pypi.org/pypi/django/{pins('base')['django']}/json\n"


@pytest.mark.parametrize(("vulnerable", "status"), [("none", 0), ("base", 1), (NAMES[-1], 1)])
def test_an_audit_takes_every_lock_and_fails_for_any_vulnerability(
    checkout: Path, vulnerable: str, status: int
) -> None:
    tools = checkout / ".venv-security" / "bin"
    program(tools / "python", "exit 0")
    program(tools / "pip-audit", f'echo "$@" >>{checkout}/asked; case "$*" in */{vulnerable}.txt) exit 1;; esac')
    assert run(checkout, "audit").returncode == status
    asked = (checkout / "asked").read_text().splitlines()
    assert [line.split()[-1] for line in asked] == [f"requirements/{name}.txt" for name in NAMES]
    assert all({"--strict", "--require-hashes"} <= set(line.split()) for line in asked)
