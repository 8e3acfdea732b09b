"""Exchanges: which queues get what is published to one. Only Celery's remote control uses them."""

from pathlib import Path

from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.json import dumps, loads

from milo.broker.dead_letters import DeadLetters
from milo.broker.files import locked, read_regular, write_whole

MAX_BINDINGS = 100


class Exchanges:
    """Tables of bindings, a JSON file for each exchange in one folder, which is locked while one is read or written."""

    def __init__(self, folder: Path, dead_letters: DeadLetters) -> None:
        self._folder = folder
        self._dead_letters = dead_letters

    def bindings(self, file: Path) -> list[exchange_queue_t]:
        """Return the bindings of an exchange, the newest first."""
        with locked(self._folder):
            return self._read(file)

    def bind(self, file: Path, binding: exchange_queue_t) -> None:
        """Add a binding unless it is there."""
        with locked(self._folder):
            bindings = self._read(file)
            if binding not in bindings:
                # a client that is killed leaves the binding of its reply queue behind, so the oldest go
                self._write(file, [binding, *bindings][:MAX_BINDINGS])

    def unbind(self, file: Path, binding: exchange_queue_t) -> None:
        """Remove a binding if it is there."""
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
            # whoever consumes binds its queue anew
            self._dead_letters.add(file, repr(error))
            return []
        return bindings

    def _write(self, file: Path, bindings: list[exchange_queue_t]) -> None:
        write_whole(file, dumps(bindings).encode())
