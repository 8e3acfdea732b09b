"""`manage.py up`, used by `make up`: run a complete Milo on this machine until Ctrl-C."""

import os
import socket
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, connections

from milo import clock
from milo.dev import database, dated_samples, ownership, people, samples
from milo.dev.certificate import development_certificate
from milo.dev.child import Died
from milo.dev.kubeconfig import write_kubeconfig
from milo.dev.processes import Processes, Stopped

HOST = "127.0.0.1"
START_SECONDS = 180


class Command(BaseCommand):
    help = "Migrate, make a certificate and sample users, apply the samples and serve; for development only."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        http, https = listen("MILO_HTTP_PORT"), listen("MILO_HTTPS_PORT")
        try:
            self.prepare()
            with Processes(settings.DATA_DIR / "logs", self.stderr.write) as processes:
                self.serve(processes, http, https)
        except (Stopped, KeyboardInterrupt):
            self.stdout.write("Milo has stopped.")
        except (Died, ownership.NotOwn, OSError) as error:
            raise CommandError(str(error)) from error

    def prepare(self) -> None:
        """Create folders and tables.

        Raises `NotOwn` for data of another installation, and `CommandError` if the database cannot be reached. Nothing
        was changed then.
        """
        ownership.require_own_folder(settings.DATA_DIR)
        try:
            database.reach()
        except (DatabaseError, psycopg.Error) as error:
            why = str(error).strip().splitlines()[0]
            raise CommandError(
                f"The database {database.name()} cannot be reached: start it, or set DATABASE_URL ({why})"
            ) from error
        ownership.require_own_database(settings.DATA_DIR)
        for folder in ("broker", "broker-control"):
            (settings.DATA_DIR / folder).mkdir(parents=True, exist_ok=True)
        ownership.mark(settings.DATA_DIR)
        clock.refuse_start(connection)
        self.stdout.write(f"Migrating {database.name()}")
        call_command("migrate", verbosity=0, interactive=False)

    def serve(self, processes: Processes, http: socket.socket, https: socket.socket) -> None:
        """Start all processes, create samples, print the addresses, and supervise until the end."""
        plain, secure = f"http://{HOST}:{http.getsockname()[1]}", f"https://{HOST}:{https.getsockname()[1]}"
        certificate = development_certificate(settings.DATA_DIR / "tls")
        passwords, tokens = people.ensure_people(settings.DATA_DIR)
        kubeconfig = settings.DATA_DIR / "kubeconfig"
        write_kubeconfig(kubeconfig, secure, certificate.authority, tokens, "acme-corp")
        connections.close_all()

        listening = http.fileno(), https.fileno()
        server = ["-m", "milo.dev.server", *map(str, listening), str(certificate.server)]
        # this process keeps the sockets open: a restarted server reuses them, and clients wait meanwhile
        processes.start("server", server, listening)
        processes.start("worker", worker_arguments())
        processes.start("beat", beat_arguments())
        client = samples.Client(secure, certificate.authority, tokens["operator"])
        processes.wait_until(client.answers, START_SECONDS)
        try:
            for refusal in samples.apply_samples(settings.BASE_DIR / "samples", client):
                self.stderr.write(refusal)
            approver, charges, usage = (
                samples.Client(secure, certificate.authority, tokens[name])
                for name in ("approver", "charge-reporter", "usage-reporter")
            )
            for folder in ("moves", "hierarchy"):
                dated = settings.BASE_DIR / "samples" / folder
                for refusal in dated_samples.apply_dated(dated, client, approver, charges):
                    self.stderr.write(refusal)
            events = settings.BASE_DIR / "samples" / "usage" / "events.yaml"
            for refusal in dated_samples.report_usage(events, client, usage):
                self.stderr.write(refusal)
        except OSError as error:
            # for example a server that is being restarted, or a busy machine
            self.stderr.write(f"Not all samples were applied ({error}); the next `make up` applies the others")
        people.grant_roles()
        connections.close_all()

        self.stdout.write(
            f"""
Admin       {plain}/admin/
API         {plain}/apis and, for kubectl, {secure}/apis
Docs        {plain}/apis/docs
kubectl     KUBECONFIG={kubeconfig} kubectl get billingaccounts
Tokens      {settings.DATA_DIR / "tokens.json"}
Authority   {certificate.authority} (curl --cacert)
Logs        {processes.logs}

User             Role                          Password of the admin"""
        )
        for person in people.PEOPLE:
            self.stdout.write(f"{person.name:<16} {person.described:<29} {passwords.get(person.name, '(token only)')}")
        self.stdout.write(f"\nMilo is ready at {plain}/admin/ - Ctrl-C stops it")
        self.stdout.flush()
        processes.watch()


def listen(setting: str) -> socket.socket:
    """Return a listening socket of this machine at the port of a setting. Raises `CommandError`."""
    port: int = getattr(settings, setting)
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise CommandError(
            f"Port {port} cannot be had ({why}): stop what uses it, or set {setting} to another"
        ) from error


def worker_arguments() -> list[str]:
    """Return the arguments of a single worker, without the traffic between several."""
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return ["-m", "celery", "-A", "milo.celery", "worker", "--loglevel", "INFO", "--pool", "solo", *quiet]


def beat_arguments() -> list[str]:
    """Return the arguments of beat. It is a separate process, because inside the worker it could end unnoticed."""
    return ["-m", "celery", "-A", "milo.celery", "beat", "--loglevel", "INFO"]
