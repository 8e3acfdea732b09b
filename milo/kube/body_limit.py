"""Bounds request bodies before Django spools them: Django looks at Content-Length, which chunked bodies lack."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from milo.kube.status import failure

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than `limit` bytes; `others` are limits by path."""

    def __init__(self, application: Application, limit: int, others: Mapping[str, int] = MappingProxyType({})) -> None:
        self.application = application
        self.limit = limit
        self.others = others

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        limit = self.others.get(scope["path"], self.limit)
        messages, size = [], 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > limit:
                await _refuse(send, limit)
                return
            if not message.get("more_body"):
                break

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.application(scope, replay, send)


async def _refuse(send: Send, limit: int) -> None:
    body = orjson.dumps(failure("RequestEntityTooLarge", f"the request body may hold at most {limit} bytes"))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
