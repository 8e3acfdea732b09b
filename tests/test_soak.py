"""The soak itself: a short one finds nothing, and it shares no code with what it checks."""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from soak.milo import Milo
from soak.postgresql import programs, system_user
from soak.processes import NotStarted

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent


def modules() -> set[str]:
    """Return the modules and packages directly below the soak."""
    paths = [*(ROOT / "soak").glob("*.py"), *(path.parent for path in (ROOT / "soak").glob("*/__init__.py"))]
    return {f"soak.{path.stem}" for path in paths} - {"soak.__init__"}


def test_no_module_of_the_soak_may_import_what_it_checks() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    contract = next(each for each in contracts if each["name"] == "The soak shares no code with what it checks")
    assert set(contract["source_modules"]) == modules() - {"soak.plants"}
    assert {"milo", "projects", "billing"} < set(contract["forbidden_modules"])


def may_run(program: Path) -> bool:
    """Return whether the user that PostgreSQL runs as can: root's home is closed to others."""
    return subprocess.run([program, "--version"], check=False, user=system_user(), capture_output=True).returncode == 0


def requires_postgresql() -> None:
    """Skip the test where there is no PostgreSQL that may run; .ci/run installs one."""
    try:
        if not may_run(programs() / "postgres"):
            pytest.skip("PostgreSQL's programs are closed to the user that it runs as")
    except (NotStarted, PermissionError) as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.xdist_group("faults")
def test_a_short_soak_finds_nothing_lost() -> None:
    """It takes a minute or two, because it makes a database and starts, kills and starts again all processes."""
    requires_postgresql()
    with tempfile.TemporaryDirectory(prefix="milo-soak-") as folder:
        Path(folder).chmod(0o755)
        command = [sys.executable, "-m", "soak", "--short", "--folder", f"{folder}/soak"]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was lost (seed " in done.stdout
    assert int(done.stdout.partition(" acknowledged writes")[0].rpartition("\n")[2]) > 100
    assert "5 faults: " in done.stdout


def test_processes_of_the_soak_get_nothing_of_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILO_DEBUG", "1")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    environment = Milo(tmp_path, webs=1).environment()
    assert "MILO_DEBUG" not in environment
    assert "DJANGO_SETTINGS_MODULE" not in environment
