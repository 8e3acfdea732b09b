"""Milo as docs/deploying.md deploys it, on this machine until Ctrl-C: `make up-production`.

nginx with TLS before two web processes, two workers and two beats, on a PostgreSQL with the roles of
`deploy/postgresql-roles.sql` and a Redis. The configuration of nginx is `deploy/nginx/milo.conf`, with other ports.
"""

import argparse
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import trustme

from soak.milo import TOKENS, Milo
from soak.postgresql import make_folder
from soak.processes import ROOT, NotStarted, Process, free_port

HOST = "localhost"
FOLDER = Path("/var/tmp/milo-production")
LOOK_SECONDS = 1.0


class Production(Milo):
    """A deployment that is kept in its folder: it is made once, and stopped in order."""

    def __init__(self, folder: Path, *, https_port: int) -> None:
        self.http_port, self.https_port = free_port(), https_port
        super().__init__(folder, webs=2)
        self.second_worker = self._celery("worker-2", "worker", "--pool", "solo", "--hostname", "worker-2@production")
        self.second_beat = self._celery("beat-2", "beat")
        command = [_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        self.nginx = Process("nginx", command, {"PATH": "/usr/sbin:/usr/bin"}, self.logs / "nginx.log")

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.https_port}"

    @property
    def authority(self) -> Path:
        """The certificate that clients trust."""
        return self.folder / "tls" / "ca.pem"

    @property
    def processes(self) -> list[Process]:
        return [*super().processes, self.second_worker, self.second_beat, self.nginx]

    def environment(self, user: str = "milo") -> dict[str, str]:
        return super().environment(user) | {
            "MILO_ALLOWED_HOSTS": f"{HOST},127.0.0.1",
            "MILO_HTTPS_ONLY": "true",
            "MILO_TRUSTED_PROXIES": "127.0.0.1",
            "MILO_PLATFORM_COUNTRY": "DE",
            "MILO_REQUESTS_PER_MINUTE": "600",
        }

    def prepare(self) -> None:
        """Make what is missing, and migrate; PostgreSQL is running afterwards. Raises `NotStarted`."""
        if (self.folder / TOKENS).exists():
            self.postgresql.start()
            self.manage("migrate", "--verbosity", "0")
            self.grant()
        else:
            self.make()
        self._write_certificate()
        self._write_nginx_conf()
        self._write_environments()
        self.manage("check", "--deploy", "--database", "default", "--fail-level", "WARNING", user="milo")

    def stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            # a second one would leave what was not stopped yet
            signal.signal(number, signal.SIG_IGN)
        ending = [*self.webs, self.worker, self.second_worker, self.beat, self.second_beat]
        with ThreadPoolExecutor(len(ending)) as pool:
            # each takes some seconds to end what it is at
            list(pool.map(Process.stop, ending))
        self.nginx.stop()
        self.redis.stop()
        self.mails.stop()
        self.postgresql.stop()

    def _write_certificate(self) -> None:
        if self.authority.exists():
            return
        self.authority.parent.mkdir(mode=0o700)
        authority = trustme.CA(organization_name="Milo on this machine")
        issued = authority.issue_cert(HOST, "127.0.0.1")
        issued.private_key_pem.write_to_path(self.authority.with_name("key.pem"))
        for part in issued.cert_chain_pems:
            part.write_to_path(self.authority.with_name("fullchain.pem"), append=True)
        authority.cert_pem.write_to_path(self.authority)

    def _write_nginx_conf(self) -> None:
        site = (ROOT / "deploy" / "nginx" / "milo.conf").read_text()
        # this machine's IPv4 alone, so that nobody else reaches it
        site = re.sub(r"\n *listen \[::\]:.*", "", site)
        changes = {
            "server 127.0.0.1:8000;": " ".join(f"server 127.0.0.1:{port};" for port in self.ports),
            "listen 80;": f"listen 127.0.0.1:{self.http_port};",
            "listen 443 ": f"listen 127.0.0.1:{self.https_port} ",
            "https://$host$": f"https://$host:{self.https_port}$",
            "Host $host;": "Host $http_host;",
            "milo.example.org": HOST,
            "/etc/ssl/milo": str(self.authority.parent),
        }
        for before, after in changes.items():
            if before not in site:
                raise NotStarted(f"deploy/nginx/milo.conf lacks {before!r}")
            site = site.replace(before, after)
        bodies = self.folder / "nginx"
        bodies.mkdir(exist_ok=True)
        temporary = "".join(
            f"{kind}_temp_path {bodies}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f"pid {self.folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
            f"http {{\naccess_log {self.logs}/nginx-access.log;\n{temporary}{site}}}\n"
        )

    def _write_environments(self) -> None:
        """Write what a shell of the owner, or of the application, needs for `manage.py`."""
        for user, name in (("milo_owner", "owner.env"), ("milo", "application.env")):
            lines = (f"export {variable}={shlex.quote(value)}" for variable, value in self.environment(user).items())
            (self.folder / name).write_text("\n".join([*lines, ""]))


def _nginx() -> str:
    for folder in ("", "/usr/sbin/"):
        if found := shutil.which(f"{folder}nginx"):
            return found
    raise NotStarted("there is no nginx: apt install nginx-light")


@contextmanager
def running(folder: Path, https_port: int) -> Iterator[Production]:
    """Start a deployment in `folder` and stop it at the end. Raises `NotStarted`."""
    make_folder(folder)
    production = Production(folder, https_port=https_port)
    try:
        production.prepare()
        production.start()
        yield production
    finally:
        production.stop()


def main() -> int:
    """Run a deployment until Ctrl-C, or until one of its processes ends."""
    parser = argparse.ArgumentParser(prog="python -m soak.production", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="keeps everything (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8443, help="of HTTPS, on this machine only (default: %(default)s)")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    print(f"Making Milo in {chosen.folder}", flush=True)
    try:
        with running(chosen.folder, chosen.port) as production:
            print(
                f"Milo is ready at {production.url}/admin/\n"
                f"certificate authority: {production.authority}\n"
                f"tokens of the API:     {production.folder / TOKENS}\n"
                f"a superuser:           . {production.folder}/application.env; "
                f"{sys.executable} manage.py createsuperuser\n"
                f"sent mail and logs:    {production.folder}/mails.jsonl, {production.logs}\n"
                "Ctrl-C stops it and keeps the folder.",
                flush=True,
            )
            while True:
                if ended := [process.name for process in production.processes if not process.is_running]:
                    print(f"ended: {', '.join(ended)}; see {production.logs}", file=sys.stderr)
                    return 1
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        print("Milo has stopped.")
        return 0
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
