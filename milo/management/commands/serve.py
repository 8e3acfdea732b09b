"""`manage.py serve`: the web processes of a production Milo."""

import os
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from milo import clock
from milo.probes import own_connection
from milo.settings.secret_key import refuse_missing
from milo.web.server import Work
from milo.web.supervisor import Supervisor


class Command(BaseCommand):
    help = 'Serve the API and the staff site over HTTP until SIGTERM; docs/operating.md, "The web processes".'
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen at; 0.0.0.0 and :: are all")
        parser.add_argument("--port", type=int, default=8000, help="the port; 0 takes a free one")
        parser.add_argument("--certificate", help="a PEM file: serve over TLS")
        parser.add_argument("--key", help="a PEM file: the private key, where the certificate's file has none")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_missing()
        connection = own_connection()
        clock.refuse_start(connection)
        connection.close()
        listening = listen(options["host"], options["port"])
        work = Work(options["certificate"], options["key"])
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        workers = settings.MILO_WORKERS
        scheme = "https" if options["certificate"] else "http"
        self.stdout.write(f"Milo serves {scheme}://{shown}:{port} in {workers} process{'es' if workers > 1 else ''}")
        self.stdout.flush()
        if workers == 1:
            work(listening)
        elif not Supervisor(work, listening, workers).run():
            raise CommandError("The processes that serve keep ending; the log tells why")


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises `CommandError` where there can be none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CommandError(f"{host}:{port} cannot be listened at: {os.strerror(error.errno or 0)}") from error
