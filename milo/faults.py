"""Answer uncaught exceptions with 500, and log one traceback of each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from milo import outages, traces
from milo.errors import Refused
from milo.kube.wire.status import failure, headers_of, internal_error, of_refusal, send_status
from milo.requests import HEADER, PROBES, SCOPE_KEY, RequestLine, request_line

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
_NAME = HEADER.lower().encode()

log = structlog.get_logger(__name__)


class Faults:
    """Outermost ASGI middleware: assigns the id of each request, and answers with it whatever happens inside."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        headers = {name: _header(scope, name.lower().encode()) for name in (HEADER, traces.HEADER)}
        headers[traces.STATE_HEADER] = ",".join(_headers(scope, traces.STATE_HEADER.encode()))
        with request_line(scope["method"], scope["path"], headers) as line:
            line.written = scope["path"] in PROBES
            answer = _Answer(send, line)
            try:
                await self.application({**scope, SCOPE_KEY: line}, receive, answer.send)
            except Exception as error:
                outage = outages.refusal(error)
                if not outage:
                    log.exception("unhandled_error")
                # a started answer cannot be replaced: the server closes the connection
                if not answer.begun:
                    await answer.refuse(outage)


async def _live(receive: Receive, send: Send) -> None:
    """Answer the server's lifespan events: there is nothing to do at the start and at the end."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return


def _header(scope: dict[str, Any], sought: bytes) -> str:
    return next(iter(_headers(scope, sought)), "")


def _headers(scope: dict[str, Any], sought: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == sought]


class _Answer:
    def __init__(self, send: Send, line: RequestLine) -> None:
        self._send, self._line = send, line
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = [header for header in message.get("headers", ()) if header[0].lower() != _NAME]
            message = {**message, "headers": [*headers, (_NAME, self._line.request_id.encode())]}
            # of an answer that Django has not given
            self._line.write(message["status"])
        await self._send(message)

    async def refuse(self, outage: Refused | None) -> None:
        if outage:
            await send_status(self.send, of_refusal(outage, {}), headers_of(outage))
        else:
            await send_status(self.send, failure("InternalError", internal_error()))
