"""A real worker with beat, a real Redis and a real mail server, each of which fails: no notice is lost.

They work on an installation of their own, in which tests act through `manage.py shell`.
"""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler

from milo.ledger import keys
from tests.acts.test_notices import free_port
from tests.support import database

# each has a database of its own, whatever the engine of the run; one installation serves all
pytestmark = [pytest.mark.once, pytest.mark.xdist_group("faults")]

ROOT = Path(__file__).resolve().parent.parent.parent
RECOVERY_SECONDS = 30
NOTICES = 12

SUSPEND = """
from tests.support import make
from billing.services.suspensions import suspend
organization = make.an_organization("acme-corp-" + {name!r})
account = make.a_ready_account(organization, "us")
for number in range({notices}):
    address = str(number) + "@" + {name!r} + ".example"
    project = make.a_project(organization, {name!r} + str(number), contact_email_addresses=[address])
    make.a_binding(project, account, "binding-" + str(number))
suspend(account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
"""


class Mailbox(MessageHandler):
    """Counts what it accepts by Message-ID; takes `seconds` for each message, and is busy (421) when told so."""

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        self.accepted: Counter[str] = Counter()
        self.seconds = 0.0
        self.begun = self.refused = 0
        self.busy = False

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.busy:
            self.refused += 1
            return "421 too busy"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.begun += 1
        await asyncio.sleep(self.seconds)
        return str(await super().handle_DATA(server, session, envelope))

    def handle_message(self, message: Message) -> None:
        self.accepted[str(message["Message-ID"])] += 1


class Installation:
    """A database, a Redis, a worker with beat and a mail server of its own in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mailbox = Mailbox()
        self.mail_port, self.redis_port = free_port(), free_port()
        self.mail: Controller | None = None
        self.redis: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "DATABASE_URL": "",
            "DJANGO_SETTINGS_MODULE": "milo.settings",
            "PYTHONPATH": str(ROOT),
            "MILO_DATA_DIR": str(folder),
            "MILO_SECRET_KEY": "the tests sign outside of development too, so it is long",
            "MILO_LEDGER_SIGNING_KEY": keys.new_key(),
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "MILO_EMAIL_HOST": "127.0.0.1",
            "MILO_EMAIL_PORT": str(self.mail_port),
        }

    def shell(self, code: str) -> None:
        """Run `code` in a process of the installation."""
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def start_mail(self) -> None:
        self.mail = Controller(self.mailbox, hostname="127.0.0.1", port=self.mail_port)
        self.mail.start()

    def stop_mail(self) -> None:
        if self.mail:
            self.mail.stop()
            self.mail = None

    def start_redis(self) -> None:
        """A Redis with nothing in it: what the one before held is gone."""
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", ""]
        self.redis = self._start("redis", command)

    def start_worker(self) -> None:
        command = ["-m", "celery", "-A", "milo.celery", "worker", "--beat", "--concurrency", "1", "--loglevel", "INFO"]
        self.worker = self._start("worker", [sys.executable, *command])

    def kill_worker(self) -> None:
        """kill -9 of the worker, its pool and its beat at once."""
        if self.worker:
            os.killpg(self.worker.pid, signal.SIGKILL)
            self.worker.wait()
            self.worker = None

    def kill_redis(self) -> None:
        if self.redis:
            self.redis.kill()
            self.redis.wait()
            self.redis = None

    def stop(self) -> None:
        self.kill_worker()
        self.kill_redis()
        self.stop_mail()

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def suspend(self, name: str) -> set[str]:
        """Suspend a new account with projects; the Message-IDs owed for it."""
        known = set(self.receipts())
        self.shell(SUSPEND.format(name=name, notices=NOTICES))
        owed = set(self.receipts()) - known
        assert len(owed) == NOTICES
        return owed

    def receipts(self) -> dict[str, tuple[str, int]]:
        """Phase and attempts of every notice, by its Message-ID."""
        with closing(sqlite3.connect(self.folder / "milo.sqlite3")) as database:
            rows = database.execute("SELECT uid, phase, attempts FROM billing_notice").fetchall()
        return {f"<{UUID(uid)}@milo.example>": (phase, attempts) for uid, phase, attempts in rows}

    def await_all(self, owed: set[str]) -> None:
        """Every message of `owed` arrives in time, and every notice is recorded as delivered at the first attempt."""
        wait_until(lambda: owed <= set(self.mailbox.accepted), RECOVERY_SECONDS, self.log)
        wait_until(lambda: all(self.receipts()[name] == ("Delivered", 1) for name in owed), 10, self.log)

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()[-3000:]


def wait_until(ready: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, why()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Installation]:
    if not shutil.which("redis-server"):
        pytest.fail("redis-server is missing: install it with `apt-get install redis-server`, as .ci/run does", False)
    made = Installation(tmp_path_factory.mktemp("installation"))
    try:
        database.copy_to(made.folder / "milo.sqlite3")
        made.start_mail()
        made.start_redis()
        made.start_worker()
        yield made
    finally:
        made.stop()


@pytest.fixture
def installation(made: Installation) -> Installation:
    made.mailbox.forget()
    return made


def test_a_redis_that_is_away_and_comes_back_empty_loses_nothing(installation: Installation) -> None:
    installation.kill_redis()
    owed = installation.suspend("wiped")
    time.sleep(3)
    assert not installation.mailbox.accepted
    installation.start_redis()
    installation.await_all(owed)
    assert installation.mailbox.accepted == Counter(owed)


def test_a_worker_killed_in_mid_delivery_and_a_mail_server_that_refuses_lose_nothing(
    installation: Installation,
) -> None:
    mailbox = installation.mailbox
    mailbox.seconds = 0.5
    killed = installation.suspend("killed")
    wait_until(lambda: mailbox.begun >= 3, RECOVERY_SECONDS, installation.log)
    installation.kill_worker()
    mailbox.busy = True
    refused = installation.suspend("refused")
    assert 0 < len(mailbox.accepted) < NOTICES
    installation.start_worker()
    # what the dead worker had claimed is not free again yet, so that these are the first that are refused
    wait_until(lambda: mailbox.refused > 0, RECOVERY_SECONDS, installation.log)
    mailbox.busy, mailbox.seconds = False, 0.0
    installation.await_all(killed | refused)
    assert set(mailbox.accepted) == killed | refused
    # accepted by the server and not recorded by us when the worker died: the one that was on its way
    assert {name for name, count in mailbox.accepted.items() if count > 1} <= killed
    assert mailbox.accepted.total() <= 2 * NOTICES + 1
