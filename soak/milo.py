"""Milo as it is deployed: roles, web processes, worker, beat, on the soak's PostgreSQL and Redis."""

import http.client
import json
import os
import secrets
import shutil
import sys
import time
from pathlib import Path

from soak import people
from soak.clocks import ProcessWithClock
from soak.mails import MailServer
from soak.postgresql import PostgreSQL
from soak.processes import ROOT, NotStarted, Process, free_port, run

READY_SECONDS = 240.0
SECRET_KEY, SIGNING_KEY, TOKENS = KEPT = "secret-key", "signing-key", "tokens.json"
ROLES = """
    CREATE ROLE milo_owner LOGIN;
    CREATE ROLE milo_application NOLOGIN;
    CREATE ROLE milo LOGIN IN ROLE milo_application;
"""


class Milo:
    """All processes of one deployment, below one folder."""

    def __init__(self, folder: Path, *, webs: int, plant: str = "", clocks: bool = False) -> None:
        """`clocks` says that the last web process and the worker have clocks that can be set, those of `clocks`."""
        self.folder, self.logs = folder, folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.postgresql = PostgreSQL(folder / "database" / "postgresql", free_port(), self.logs)
        self.redis_folder = folder / "redis"
        self.redis_folder.mkdir(exist_ok=True)
        self._redis_port = free_port()
        self.mails = MailServer(free_port(), folder / "mails.jsonl")
        self._plant = plant
        self.data.mkdir(exist_ok=True)
        self.ports = [free_port() for _ in range(webs)]
        self.redis = self._redis()
        self.webs = [self._web(number, port) for number, port in enumerate(self.ports)]
        self.worker = self._celery("worker", "worker", "--pool", "solo", "--hostname", "worker@soak")
        self.clocks: list[ProcessWithClock] = []
        if clocks:
            last = webs - 1
            self.webs[last] = self._with_clock(self.webs[last])
            self.worker = self._with_clock(self.worker)
        self.beat = self._celery("beat", "beat")

    @property
    def heads(self) -> Path:
        """The anchor: heads of the seals, outside the database."""
        return self.data / "heads.jsonl"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        """Make the database as docs/deploying.md says, and the people. The server is running afterwards."""
        self._make_keys()
        self.postgresql.create()
        self.postgresql.start()
        self.postgresql.execute(ROLES, database="postgres")
        self.postgresql.execute("CREATE DATABASE milo OWNER milo_owner", database="postgres")
        self.manage("migrate", "--verbosity", "0")
        self.grant()
        printed = self.manage("shell", "--verbosity", "0", "-c", people.script())
        (self.folder / TOKENS).write_text(printed.partition("TOKENS ")[2])

    def grant(self) -> None:
        """Give the application its rights to the tables that there are."""
        roles = (ROOT / "deploy" / "postgresql-roles.sql").read_text()
        self.postgresql.execute(f"BEGIN; {roles}; COMMIT", user="milo_owner")

    def copy(self, made: Path) -> None:
        """Take over what was made below another folder, and stopped. The server is running afterwards."""
        for name in KEPT:
            shutil.copy2(made / name, self.folder / name)
        self.postgresql.copy(made / "database" / "postgresql")
        self.postgresql.start()

    @property
    def tokens(self) -> dict[str, str]:
        """Bearer tokens by person."""
        found: dict[str, str] = json.loads((self.folder / TOKENS).read_text())
        return found

    def start(self) -> None:
        """Start everything but PostgreSQL, and wait until every web process is ready."""
        self.mails.start()
        for process in self.processes:
            process.start()
        self.wait_until_ready()

    @property
    def processes(self) -> list[Process]:
        """All processes but PostgreSQL."""
        return [self.redis, *self.webs, self.worker, self.beat]

    def wait_until_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        for port in self.ports:
            while not is_ready(port):
                if time.monotonic() > end:
                    raise NotStarted(f"the web process at {port} is not ready; see {self.logs}")
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop everything."""
        for process in reversed(self.processes):
            process.kill()
        self.mails.stop()
        self.postgresql.stop()

    def manage(self, *arguments: str, user: str = "milo_owner", check: bool = True) -> str:
        """Run `manage.py` as the owner of the tables and return its output."""
        environment = self.environment(user) | {"DJANGO_SETTINGS_MODULE": "milo.settings"}
        return run([sys.executable, "manage.py", *arguments], environment, check=check)

    def environment(self, user: str = "milo") -> dict[str, str]:
        """Return the environment of Milo's processes: nothing of that of the soak."""
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "DATABASE_URL": self.postgresql.url(user),
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self._redis_port}/0",
            "MILO_DATA_DIR": str(self.data),
            "MILO_SECRET_KEY_FILE": str(self.folder / SECRET_KEY),
            "MILO_LEDGER_SIGNING_KEY_FILE": str(self.folder / SIGNING_KEY),
            "MILO_LEDGER_HEADS": str(self.heads),
            "MILO_EMAIL_HOST": "127.0.0.1",
            "MILO_EMAIL_PORT": str(self.mails.port),
            "MILO_MESSAGE_ID_DOMAIN": people.MAIL_DOMAIN,
            "MILO_REQUESTS_PER_MINUTE": "0",
            "MILO_WORKERS": "1",
            # in which tracebacks begin lines
            "MILO_LOG_FORMAT": "console",
        }
        if self._plant:
            environment |= {"DJANGO_SETTINGS_MODULE": "soak.plants.settings", "SOAK_PLANT": self._plant}
        return environment

    def _make_keys(self) -> None:
        (self.folder / SECRET_KEY).write_text(secrets.token_hex(32))
        signing = run(["openssl", "genpkey", "-algorithm", "ed25519"], {"PATH": os.environ["PATH"]})
        (self.folder / SIGNING_KEY).write_text(signing)

    def _redis(self) -> Process:
        command = ["redis-server", "--port", str(self._redis_port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.redis_folder), "--appendonly", "yes", "--save", ""]
        return Process("redis", command, {"PATH": os.environ["PATH"]}, self.logs / "redis.log")

    def _web(self, number: int, port: int) -> Process:
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        return Process(f"web-{number}", command, self.environment(), self.logs / f"web-{number}.log")

    def _with_clock(self, process: Process) -> ProcessWithClock:
        clocked = ProcessWithClock(
            process.name, process.command, process.environment, process.log, self.folder / "clocks"
        )
        self.clocks.append(clocked)
        return clocked

    def _celery(self, name: str, *arguments: str) -> Process:
        command = [sys.executable, "-m", "celery", "-A", "milo.celery", *arguments, "--loglevel", "INFO"]
        return Process(name, command, self.environment(), self.logs / f"{name}.log")


def is_ready(port: int) -> bool:
    """Return whether the web process at a port says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
