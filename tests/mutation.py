"""Mutation tests: change the code a little at a time, and see which changes no test notices.

mutmut works in a copy of the checkout, `.mutation/AREA`. A run ends after some minutes, and the next one goes on
where it ended, unless code or tests have changed. `make mutation` installs what it needs.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
# hidden, so that nothing that reads the checkout takes it for code
PLACE = ROOT / ".mutation"
# mutmut's own words for what became of a mutant
CAUGHT, NOT_CAUGHT = ("killed", "timeout", "segfault"), ("survived", "no_tests", "suspicious")
# those that use no database: a mutant takes a fraction of a second. With one it takes half a minute, to migrate its own
WITHOUT_DATABASE = "once and not slow"


class Area(NamedTuple):
    files: str
    tests: tuple[str, ...]
    marks: str = "not slow"


AREAS = {
    "compliance": Area("billing/compliance/*.py", ("tests/compliance",), WITHOUT_DATABASE),
    "terms": Area(
        "billing/terms/*.py",
        tuple(f"tests/compliance/test_payment_{noun}.py" for noun in ("terms", "schedule", "amounts")),
        WITHOUT_DATABASE,
    ),
    "models": Area("billing/models/*.py", ("tests/acts",)),
    "services": Area("billing/services/*.py", ("tests/acts",)),
}


def copy_of_checkout(area: str) -> Path:
    """Bring the copy up to date with the files that git knows, and return it."""
    place = PLACE / area
    named = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, named.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def configure(place: Path, area: Area) -> None:
    """Tell mutmut, which has no options for these, what to change and which tests to run."""
    copied = sorted(
        {name.name for name in place.iterdir()} - {"mutants", "mutmut.log", "milo", "projects", "billing", "tests"}
    )
    settings = {
        "source_paths": ["milo", "projects", "billing"],
        "only_mutate": [area.files],
        "also_copy": [name for name in copied if not name.startswith(".")],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-m", area.marks],
        "pytest_add_cli_args_test_selection": list(area.tests),
    }
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    with (place / "pyproject.toml").open("a") as file:
        file.write(f"\n[tool.mutmut]\n{lines}\n")


def run(place: Path, minutes: float) -> None:
    """Run mutmut for so long at most. What it has found by then is kept."""
    with (place / "mutmut.log").open("w") as log:
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(len(os.sched_getaffinity(0)))]
        running = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, start_new_session=True)
        try:
            running.wait(minutes * 60)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def report(area: str, place: Path) -> int:
    """Print the score and every mutant that no test caught. Return 1 if no mutant was tried."""
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "export-cicd-stats"], cwd=place, check=False, capture_output=True)
    path = place / "mutants" / "mutmut-cicd-stats.json"
    counts = json.loads(path.read_text()) if path.exists() else {}
    caught, missed = (sum(counts.get(word, 0) for word in words) for words in (CAUGHT, NOT_CAUGHT))
    if not caught + missed:
        print(f"{area}: no mutant was tried; see {(place / 'mutmut.log').relative_to(ROOT)}")
        return 1
    for line in subprocess.run(
        [*mutmut, "results"], cwd=place, check=True, capture_output=True, text=True
    ).stdout.splitlines():
        name, _colon, state = line.strip().partition(": ")
        if state and state != "not checked":
            print(f"{state:10} {name}")
    print(
        f"{area}: {caught} of {caught + missed} mutants caught ({100 * caught / (caught + missed):.0f}%),"
        f" {counts['total'] - caught - missed} not tried"
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("--minutes", type=float, default=30, help="how long at most (30)")
    parser.add_argument("--files", help="change these files only, such as 'billing/compliance/check.py'")
    options = parser.parse_args()
    area = AREAS[options.area]
    area = area._replace(files=options.files or area.files)
    place = copy_of_checkout(options.area)
    configure(place, area)
    run(place, options.minutes)
    return report(options.area, place)


if __name__ == "__main__":
    sys.exit(main())
