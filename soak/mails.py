"""A mail server that keeps what it accepts, and can be stopped."""

import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from soak.records import Records


class _Keeper:
    """Appends each message to the records before it is accepted."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  named by aiosmtpd
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(("plain",))
        self._records.append(
            {
                "at": time.time(),
                "to": envelope.rcpt_tos,
                "id": str(message["Message-ID"] or ""),
                "subject": str(message["Subject"] or ""),
                "text": body.get_content() if body else "",
            }
        )
        return "250 OK"


class MailServer:
    """An SMTP server on a port of its own."""

    def __init__(self, port: int, path: Path) -> None:
        self.port = port
        self._keeper = _Keeper(Records(path))
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self._keeper, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()
            self._controller = None
