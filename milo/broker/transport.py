"""kombu's filesystem transport on a spool. `CELERY_BROKER_TRANSPORT` names it.

Transport options: `folder` of the messages, and `control_folder` of the exchanges, which only remote control uses.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any

import structlog
from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.json import dumps, loads

from milo import disks
from milo.broker.exchanges import Exchanges
from milo.broker.names import TIME_TO_LIVE_SECONDS
from milo.broker.spool import Spool

COMPLAINT_SECONDS = 60

log = structlog.get_logger(__name__)


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Raise kombu's ChannelError for an OSError inside."""
    try:
        yield
    except OSError as error:
        if disks.is_full(error):
            disks.log_full("broker", folder)
        raise ChannelError(f"The broker's folder {folder} cannot be used: {error}") from error


class QoS(virtual.QoS):
    """Unacknowledged messages, which are files too. Acknowledged and rejected ones are removed."""

    def ack(self, delivery_tag: str) -> None:
        super().ack(delivery_tag)
        self.channel.spool.acknowledge(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        super().reject(delivery_tag, requeue)
        if not requeue:
            self.channel.spool.acknowledge(delivery_tag)


class Channel(filesystem.Channel):
    """A channel with the tags of its spool as delivery tags."""

    QoS = QoS

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self._without_acknowledgement: set[str] = set()
        self._next_complaint = 0.0

    @cached_property
    def spool(self) -> Spool:
        return Spool(Path(self.transport_options["folder"]))

    @cached_property
    def exchanges(self) -> Exchanges:
        return Exchanges(self.control_folder, self.spool.dead_letters)

    def basic_consume(self, queue: str, no_ack: bool, *arguments: Any, **options: Any) -> None:
        if no_ack:
            self._without_acknowledgement.add(queue)
        super().basic_consume(queue, no_ack, *arguments, **options)

    def basic_get(self, queue: str, no_ack: bool = False, **options: Any) -> Any:
        message = super().basic_get(queue, no_ack, **options)
        if message and no_ack:
            self.spool.acknowledge(message.delivery_tag)
        return message

    def close(self) -> None:
        super().close()
        self.spool.close()

    # kombu's own classes use different names for the second argument
    def _put(self, queue: str, payload: dict[str, Any], **options: Any) -> None:  # type: ignore[override]
        milliseconds = payload["properties"].get("expiration")
        seconds = float(milliseconds) / 1000 if milliseconds else TIME_TO_LIVE_SECONDS
        with usable(self.spool.folder):
            self.spool.put(queue, dumps(payload).encode(), seconds)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        """Return the next readable message; unreadable ones become dead letters. Raises `Empty`."""
        while tag := self._take(queue):
            try:
                payload: dict[str, Any] = loads(self.spool.read(tag).decode())
                payload["properties"]["delivery_tag"] = tag
                # raises here the error that would crash the consumer
                self.Message(payload, channel=self)
            except Exception as error:
                self.spool.set_aside(tag, error)
                continue
            if queue in self._without_acknowledgement:
                self.spool.acknowledge(tag)
            return payload
        raise Empty

    def _take(self, queue: str) -> str | None:
        try:
            return self.spool.take(queue)
        except OSError as error:
            # for example a full disk: consumers treat it as an unavailable broker, and wait
            if time.monotonic() > self._next_complaint:
                self._next_complaint = time.monotonic() + COMPLAINT_SECONDS
                log.error("broker_unavailable", folder=str(self.spool.folder), error=error)
                if disks.is_full(error):
                    disks.log_full("broker", self.spool.folder)
            return None

    def _get_and_deliver(self, queue: str, callback: Any) -> None:
        message = self._get(queue)
        try:
            callback(message, queue)
        except Exception as error:
            # for example readable, but no task: the next consumer would crash at it too
            tag = message["properties"]["delivery_tag"]
            self.spool.set_aside(tag, error)
            self.qos.ack(tag)

    def _restore(self, message: Any) -> None:
        self.spool.release(message.delivery_tag)

    def _restore_at_beginning(self, message: Any) -> None:
        self.spool.requeue(message.delivery_tag)

    def _size(self, queue: str) -> int:
        with usable(self.spool.folder):
            return len(self.spool.names(queue))

    def _purge(self, queue: str) -> int:
        with usable(self.spool.folder):
            return self.spool.purge(queue)

    def get_table(self, exchange: str) -> list[exchange_queue_t]:
        with usable(self.control_folder):
            return self.exchanges.bindings(self._exchange_file(exchange))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with usable(self.control_folder):
            self.exchanges.bind(self._exchange_file(exchange), binding)

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *arguments: Any, **options: Any
    ) -> None:
        self._purge(queue)
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with usable(self.control_folder):
            self.exchanges.unbind(self._exchange_file(exchange), binding)


class Transport(filesystem.Transport):
    """The transport of `filesystem://`."""

    Channel = Channel

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        # kombu shares one state in the process, and never binds a queue again after its exchange was removed
        self.state = virtual.BrokerState()
