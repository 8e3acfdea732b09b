"""An OpenID Connect provider: tokens signed by it, and its keys as a real HTTP server serves them."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from milo.identity import oidc
from tests.api.client import Api

ISSUER, AUDIENCE = "https://id.example", "milo"
Sign = Callable[..., Api]


@pytest.fixture(scope="module")
def keys() -> dict[str, rsa.RSAPrivateKey]:
    return {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("ours", "foreign")}


@dataclass
class Published:
    """What the provider answers to whoever asks for its keys: the key under this id, unless there is a `body`."""

    public: dict[str, Any]
    key_id: str = "key-1"
    body: bytes = b""
    asked: int = 0

    def answer(self) -> bytes:
        self.asked += 1
        key = {**self.public, "kid": self.key_id, "use": "sig", "alg": "RS256"}
        return self.body or json.dumps({"keys": [key]}).encode()


@pytest.fixture
def published(keys: dict[str, rsa.RSAPrivateKey]) -> Published:
    return Published(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(keys["ours"].public_key())))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have gone by, to be moved on."""
    gone_by = [1000.0]
    monkeypatch.setattr("milo.identity.signing_keys.monotonic", lambda: gone_by[0])
    return gone_by


@pytest.fixture
def jwks_url(published: Published) -> Iterator[str]:
    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(published.answer())

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Keys)
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/keys"
    server.shutdown()
    server.server_close()


@pytest.fixture
def sign(db: None, settings: Any, jwks_url: str, keys: dict[str, rsa.RSAPrivateKey]) -> Sign:
    """A client with a token that the provider might have issued; what is given changes it."""
    settings.MILO_OIDC = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks_url": jwks_url,
        "username_claim": "preferred_username",
        "groups": {"finance": "finance-operator"},
    }
    oidc._keys.cache_clear()

    def signed(
        key: str = "ours", headers: dict[str, Any] | None = None, algorithm: str = "RS256", **claims: Any
    ) -> Api:
        given = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "1234",
            "preferred_username": "federated",
            "exp": time.time() + 300,
            **claims,
        }
        kept = {name: value for name, value in given.items() if value is not None}
        named = {"kid": "key-1"} if headers is None else headers
        signers: dict[str, Any] = {"RS256": keys[key], "HS256": "a secret of thirty-two bytes, shared", "none": None}
        # claims of a wrong type too, which jwt.encode refuses
        return Api(jwt.PyJWS().encode(json.dumps(kept).encode(), signers[algorithm], algorithm, headers=named))

    return signed
