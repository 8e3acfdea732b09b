"""Uploads that trickle, over real connections: they hold up nobody, and end."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import orjson
import pytest
from django.conf import settings

from milo.kube.wire import body_limit
from tests.support import make
from tests.support.live import Live

PATH = "/apis/resources.milo.io/v1alpha1/projects"


@contextmanager
def an_upload(live: Live) -> Iterator[ssl.SSLSocket]:
    """A connection on which a request has begun, of whose body one byte has come."""
    port = int(live.url.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=str(live.authority))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as upload,
    ):
        upload.sendall(f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{{".encode())
        yield upload


@pytest.mark.once
def test_more_uploads_that_trickle_than_there_are_threads_hold_up_nobody_and_are_ended(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "WITHIN_SECONDS", 1.5)
    with ExitStack() as stack:
        uploads = [stack.enter_context(an_upload(live)) for _number in range(settings.MILO_THREADS + 1)]
        client = stack.enter_context(live.client(make.a_person("operator", groups=("finance-operator",))))
        assert client.get(PATH).status_code == 200
        begun = time.monotonic()
        while time.monotonic() < begun + 0.5:
            uploads[0].sendall(b" ")
            time.sleep(0.1)
        answer = b"".join(iter(lambda: uploads[0].recv(4096), b""))
        head, _blank, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert orjson.loads(body)["reason"] == "RequestTimeout"
