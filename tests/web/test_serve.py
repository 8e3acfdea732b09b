"""`manage.py serve` as its operator meets it: probes, and the end of its processes at SIGTERM."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from django.db import connection, transaction

from milo import __version__
from milo.kube.store import changes
from tests.support import make

ROOT = Path(__file__).resolve().parent.parent.parent
DRAIN_SECONDS, STOP_SECONDS = 2, 20
START_WITHIN = 60.0
ACCOUNTS = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts"
CHECKS = ("database", "migrations", "guards", "clock", "shutdown", "newest_revision", "keys", "disk", "broker")


@dataclass(slots=True)
class Served:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def client(self, token: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # a new connection for each request: those that are kept stay with one process
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, limits=limits)


def eventually(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Served]:
    """Two processes on the database of the test, which must be a file."""
    environment = {
        "PATH": os.environ["PATH"],
        "MILO_DATA_DIR": str(folder / "var"),
        "MILO_SECRET_KEY": "the tests sign outside of development too, so it is long",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "MILO_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "MILO_STOP_SECONDS": str(STOP_SECONDS),
        "MILO_WORKERS": "2",
        **settings,
    }
    log = folder / "serve.log"
    with log.open("wb") as file:
        command = [sys.executable, "manage.py", "serve", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: process.poll() is not None or b"Milo serves " in log.read_bytes(), START_WITHIN)
        served_at = re.search(r"Milo serves (\S+) in 2 processes", log.read_text())
        assert served_at, log.read_text()
        eventually(lambda: answers(served_at[1]), START_WITHIN)
        yield Served(process, served_at[1], log)
    finally:
        process.kill()
        process.wait()


def requests_counted(client: httpx.Client) -> float:
    shown = re.search(
        r'^milo_http_requests_total\{code="200",method="GET",route="version"\} (\S+)$',
        client.get("/metrics").text,
        re.M,
    )
    return float(shown[1]) if shown else 0


class Watcher(threading.Thread):
    """Reads a watch to its end; `error` is what ended it, if not the server."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.lines: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            query = {"watch": "true", "allowWatchBookmarks": "true"}
            with self.client.stream("GET", ACCOUNTS, params=query) as response:
                for line in response.iter_lines():
                    self.lines.append(orjson.loads(line))
        except Exception as error:
            self.error = error


# two processes start, and stop: some seconds of processor time that no engine changes
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_at_sigterm_readiness_fails_first_then_watches_end_with_a_bookmark_and_requests_are_finished(
    tmp_path: Path,
) -> None:
    if connection.vendor != "sqlite":
        return
    organization = make.an_organization("acme-corp")
    make.a_ready_account(organization, "us")
    _row, token = make.a_token(make.a_person("operator", groups=("finance-operator",)))
    with served(tmp_path) as milo, milo.client(token) as client:
        stranger = {"Host": "10.1.2.3"}
        # the guards are compared for the first time, which may take longer than a probe waits
        eventually(lambda: client.get("/readyz", headers=stranger).status_code == 200, 20)
        for probe in ("/livez", "/healthz", "/metrics"):
            assert client.get(probe, headers=stranger).status_code == 200
        assert client.get("/version", headers=stranger).status_code == 400
        assert client.get("/version").json()["gitVersion"].endswith(f"milo.{__version__}")
        lines = client.get("/readyz?verbose").text.splitlines()
        assert [line for line in lines if not line.startswith("[i]feature-gate ")] == [
            *(f"[+]{name} ok" for name in CHECKS),
            "readyz check passed",
        ]

        # whichever process answers a scrape, it has the counts of both
        begun = requests_counted(client)
        assert {client.get("/version").status_code for _ in range(10)} == {200}
        assert {requests_counted(client) - begun for _ in range(6)} == {10}

        watchers = [Watcher(milo.client(token)) for _ in range(4)]
        eventually(lambda: all(watcher.lines for watcher in watchers), 10)
        posted: list[httpx.Response] = []
        with transaction.atomic():  # the one writer of SQLite: the request waits until it ends
            kind = {"apiVersion": "billing.milo.io/v1alpha1", "kind": "BillingAccount"}
            body = {**kind, "metadata": {"name": "late"}, "spec": {"currencyCode": "EUR"}}
            request = threading.Thread(target=lambda: posted.append(client.post(ACCOUNTS, json=body)))
            request.start()
            time.sleep(0.5)
            asked = time.monotonic()
            milo.process.send_signal(signal.SIGTERM)
            eventually(lambda: client.get("/readyz?verbose").status_code == 503, DRAIN_SECONDS)
            assert "[-]shutdown failed: the process is shutting down" in client.get("/readyz?verbose").text
            assert (client.get("/livez").status_code, client.get(ACCOUNTS).status_code) == (200, 200)
            for watcher in watchers:
                watcher.join(DRAIN_SECONDS + 5)
            assert not posted
            shown = changes.current_version()
        request.join(10)
        assert posted[0].status_code == 201, posted[0].text
        for watcher in watchers:
            assert watcher.error is None
            assert [line["type"] for line in watcher.lines] == ["ADDED", "BOOKMARK"]
            assert int(watcher.lines[-1]["object"]["metadata"]["resourceVersion"]) == shown
        assert milo.process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - asked < DRAIN_SECONDS + 8
        assert not re.search('"level":"(warning|error)|Warning:|Traceback', milo.log.read_text())


SUPERVISED = """
import socket, sys, time
sys.path.insert(0, {root!r})
from milo.web.supervisor import Supervisor

def work(listening):
    if {fails}:
        sys.exit(3)
    print("at work", flush=True)
    time.sleep(60)

if __name__ == "__main__":
    sys.exit(not Supervisor(work, socket.create_server(("127.0.0.1", 0)), 2).run())
"""


@contextmanager
def supervised(folder: Path, *, fails: bool = False) -> Iterator[subprocess.Popen[str]]:
    script = folder / "supervised.py"
    script.write_text(SUPERVISED.format(root=str(ROOT), fails=fails))
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "milo.settings", "MILO_DATA_DIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, str(script)], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def children(process: subprocess.Popen[str]) -> set[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {int(pid) for pid in listed if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def test_a_process_that_is_killed_is_started_again_and_all_end_together(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        assert process.stdout
        assert [process.stdout.readline(), process.stdout.readline()] == ["at work\n"] * 2
        first = children(process)
        os.kill(min(first), signal.SIGKILL)
        eventually(lambda: len(children(process) - first) == 1, 10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


# it waits a second before each start
@pytest.mark.slow
def test_processes_that_keep_ending_end_the_command(tmp_path: Path) -> None:
    with supervised(tmp_path, fails=True) as process:
        assert process.wait(30) == 1
        assert process.stdout
        assert process.stdout.read().count("server_process_ended") >= 5
