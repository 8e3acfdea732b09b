"""A client that asks again until it knows: every POST has an Idempotency-Key, and is repeated at any web process."""

import http.client
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 60.0
# sooner than Retry-After says, because the time to the first good answer is measured
PAUSE_SECONDS = (0.1, 0.6)
NO_ANSWER = 0
"""The status of an attempt to which no answer came: refused, reset or too late."""
Attempt = tuple[int, int, float, float]
"""Number of the web process, status, and the instants (Unix time) of request and answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The last answer of a request, and all attempts. `status` is `NO_ANSWER` where the client gave up."""

    status: int
    body: dict[str, Any]
    replayed: bool
    attempts: list[Attempt]

    @property
    def is_acknowledged(self) -> bool:
        return 200 <= self.status < 300


class Client:
    """One client with a connection to each web process; not for several threads."""

    def __init__(self, ports: Sequence[int], stopped: Callable[[], bool], seed: int) -> None:
        self._ports, self._stopped = ports, stopped
        self._random = random.Random(seed)
        self._connections: dict[int, http.client.HTTPConnection] = {}

    def get(self, path: str, token: str) -> Answer:
        return self._ask("GET", path, token, None, {})

    def post(self, path: str, token: str, body: Any, key: str, content_type: str = "application/json") -> Answer:
        headers = {"Idempotency-Key": key, "Content-Type": content_type}
        return self._ask("POST", path, token, json.dumps(body).encode(), headers)

    def _ask(self, method: str, path: str, token: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """Send until an answer says that the request was processed or refused, or until the soak is over."""
        headers = headers | {"Authorization": f"Bearer {token}"}
        attempts: list[Attempt] = []
        while True:
            number = self._random.randrange(len(self._ports))
            sent = time.time()
            status, answer, received = self._once(number, method, path, body, headers)
            attempts.append((number, status, sent, time.time()))
            if not _ask_again(status, answer):
                replayed = answer.get("idempotency-replayed") == "true"
                return Answer(status, _parsed(received), replayed, attempts)
            if self._stopped():
                return Answer(NO_ANSWER, {}, False, attempts)
            time.sleep(self._random.uniform(*PAUSE_SECONDS))

    def _once(
        self, number: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self._connections.get(number)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._ports[number], timeout=TIMEOUT_SECONDS)
            self._connections[number] = connection
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            del self._connections[number]
            return NO_ANSWER, {}, b""


def _ask_again(status: int, headers: dict[str, str]) -> bool:
    """Return whether the answer leaves open what became of the request; 409 does while its key is being processed."""
    return status in (NO_ANSWER, 429) or status >= 500 or (status == 409 and "retry-after" in headers)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
