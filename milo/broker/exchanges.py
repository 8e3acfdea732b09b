"""Exchanges: the queues that receive messages published to one. Only Celery's remote control uses them."""

from pathlib import Path

from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.json import dumps, loads

from milo.broker.dead_letters import DeadLetters
from milo.broker.files import locked, read_regular, write_whole

MAX_BINDINGS = 100


class Exchanges:
    """Tables of bindings, one JSON file an exchange. The folder is locked while one is read or written."""

    def __init__(self, folder: Path, dead_letters: DeadLetters) -> None:
        self._folder = folder
        self._dead_letters = dead_letters

    def bindings(self, file: Path) -> list[exchange_queue_t]:
        """Return the bindings of an exchange, newest first."""
        with locked(self._folder):
            return self._read(file)

    def bind(self, file: Path, binding: exchange_queue_t) -> None:
        """Add a binding unless it exists."""
        with locked(self._folder):
            bindings = self._read(file)
            if binding not in bindings:
                # killed clients leave the bindings of their reply queues behind, so the oldest are dropped
                self._write(file, [binding, *bindings][:MAX_BINDINGS])

    def unbind(self, file: Path, binding: exchange_queue_t) -> None:
        """Remove a binding if it exists."""
        with locked(self._folder):
            bindings = self._read(file)
            if binding in bindings:
                self._write(file, [other for other in bindings if other != binding])

    def _read(self, file: Path) -> list[exchange_queue_t]:
        try:
            bindings = [exchange_queue_t(*parts) for parts in loads(read_regular(file).decode())]
            if not all(isinstance(part, str) for binding in bindings for part in binding):
                raise ValueError("a binding is not made of three strings")
        except FileNotFoundError:
            return []
        except Exception as error:
            # consumers bind their queues again
            self._dead_letters.add(file, error)
            return []
        return bindings

    def _write(self, file: Path, bindings: list[exchange_queue_t]) -> None:
        write_whole(file, dumps(bindings).encode())
