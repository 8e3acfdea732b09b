"""A broker in a folder, with producers and consumers in this process: kombu's door, which Celery uses too."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Consumer, Producer

WORK = Queue("work", Exchange("work"), routing_key="work")


class Broker:
    """A folder for messages, and one for exchanges."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "broker"
        self.control = folder / "broker-control"

    def connect(self) -> Connection:
        options = {"folder": str(self.folder), "control_folder": str(self.control), "polling_interval": 0.01}
        return Connection("filesystem://", transport="milo.broker.transport:Transport", transport_options=options)

    def publish(self, *bodies: Any, **options: Any) -> None:
        with self.connect() as connection:
            producer = Producer(connection.channel(), serializer="json")
            for body in bodies:
                producer.publish(body, exchange=WORK.exchange, routing_key="work", declare=[WORK], **options)

    @contextmanager
    def consumer(self, handle: Callable[[Any, Any], None]) -> Iterator[Connection]:
        """Consume while the block runs; `handle` gets body and message, which it acknowledges or not."""
        with self.connect() as connection, Consumer(connection.channel(), [WORK], callbacks=[handle]):
            yield connection

    def drain(self) -> list[Any]:
        """Consume and acknowledge all that waits; return the bodies in the order of delivery."""
        bodies: list[Any] = []
        with self.consumer(acknowledged(bodies)) as connection:
            drain(connection)
        return bodies

    def drop(self, content: bytes, name: str = "0_probe.work.msg") -> Path:
        """Lay a file into the folder that no producer of ours has written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_bytes(content)
        return path

    def waiting(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*.msg"))

    def unacknowledged(self) -> list[Path]:
        return sorted((self.folder / "unacked").glob("*/*"))

    def dead_letters(self) -> list[Path]:
        return sorted((self.folder / "dead-letters").glob("*"))


def acknowledged(bodies: list[Any]) -> Callable[[Any, Any], None]:
    """Return a handler that adds the body of each message to `bodies`, and acknowledges it."""

    def handle(body: Any, message: Any) -> None:
        bodies.append(body)
        message.ack()

    return handle


def drain(connection: Connection) -> None:
    """Handle messages until none is left."""
    while True:
        try:
            connection.drain_events(timeout=0.15)
        except TimeoutError:
            return


def a_message(body: Any = 1) -> dict[str, Any]:
    """The JSON of a message as kombu writes it."""
    return {
        "body": json.dumps(body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "delivery_info": {"exchange": "work", "routing_key": "work"},
            "delivery_tag": "1",
            "body_encoding": "utf-8",
        },
    }


def killed(function: Callable[[], None]) -> None:
    """Run `function` in a process that is then killed as by kill -9: it closes and restores nothing."""
    if (child := os.fork()) == 0:
        try:
            function()
        finally:
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
