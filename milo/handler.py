"""Django under ASGI with one hop: the loop reads and sends, one thread of a pool does all that is between."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import HttpResponseBase
from django.urls import set_script_prefix

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class OneHopHandler(ASGIHandler):
    """Django's handler starts a thread for each request, and goes to it and back twice for each middleware.

    Here `threads` threads are kept, and the whole synchronous stack is called in one of them. Only what streams
    (a watch) runs in the loop afterwards, and ends when its client leaves.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        response = await self._in_thread(self._respond, scope, body)
        if response.streaming:
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        # a context of its own, so that no request inherits what another left in the thread
        call = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, function, *arguments)

    def _respond(self, scope: dict[str, Any], body: Any) -> Any:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = self.get_response(request) if request else refusal
        response._handler_class = self.__class__
        # either way the database connection goes back to the pool; the content of a closed response stays
        if response.streaming:
            close_old_connections()
        else:
            response.close()
        return response

    async def _stream(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self.send_response(response, send))
        leaving = asyncio.ensure_future(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            ended, _left = await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._in_thread(response.close)
        if isinstance(ended, Exception):
            raise ended
