"""Django under ASGI with one hop: the event loop reads and sends, one thread of a pool does the rest."""

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

from milo.errors import Busy
from milo.fairness import Admission, flows
from milo.kube.kinds import all_kinds
from milo.kube.wire.status import headers_of, of_refusal, respond
from milo.web.measuring import note_route

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class OneHopHandler(ASGIHandler):
    """Calls the whole synchronous stack in one of `threads` threads.

    Django's handler starts a thread for each request, and switches to it and back twice for each middleware. Only a
    streaming response (a watch) runs in the event loop afterwards, and ends when its client disconnects. At most
    `waiting` more requests wait for one object, and a few times as many for one tenant (milo/fairness.py).
    """

    def __init__(self, threads: int, waiting: int) -> None:
        super().__init__()
        self._admission = Admission(threads, waiting)
        self._contended = {kind.plural: kind.contended for kind in all_kinds() if kind.contended}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        try:
            async with self._admission.turn(flows(scope, body, self._contended)):
                response = await self._in_thread(self._respond, scope, body)
        except Busy as busy:
            body.close()
            response = respond(of_refusal(busy, {}), headers_of(busy))
        if response.streaming:
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        # a context of its own, so that no request inherits the variables of another one of the thread
        call = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, function, *arguments)

    def _respond(self, scope: dict[str, Any], body: Any) -> Any:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = self.get_response(request) if request else refusal
        if request and request.resolver_match:
            note_route(scope, request.resolver_match.route)
        response._handler_class = self.__class__
        # both return the database connection to the pool; a closed response keeps its content
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
