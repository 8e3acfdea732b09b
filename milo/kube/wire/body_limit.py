"""Limit request bodies in size and time before Django spools them.

Django checks Content-Length only, which chunked bodies lack.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from milo.kube.wire.status import failure, send_status

WITHIN_SECONDS = 30.0
"""Seconds a body may take to arrive. It occupies no thread until then."""
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than `limit` bytes and 408 to a slow one.

    `others` holds other limits by path.
    """

    def __init__(self, application: Application, limit: int, others: Mapping[str, int] = MappingProxyType({})) -> None:
        self.application = application
        self.limit = limit
        self.others = others

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        limit = self.others.get(scope["path"], self.limit)
        messages, size, more = [], 0, True
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                while more and size <= limit:
                    message = await receive()
                    messages.append(message)
                    size += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            why = f"the request body must arrive within {WITHIN_SECONDS:.0f} seconds"
            await send_status(send, failure("RequestTimeout", why))
            return
        if size > limit:
            why = f"the request body may hold at most {limit} bytes"
            await send_status(send, failure("RequestEntityTooLarge", why))
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.application(scope, replay, send)
