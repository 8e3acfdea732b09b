"""Logging in to the staff site by a small OpenID Connect provider on loopback, which checks client, code and PKCE."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.test import Client

from milo.identity import oidc
from milo.identity.identities import link, unlink
from milo.identity.models import Identity
from tests.support import make

pytestmark = pytest.mark.once

HOME, BEGIN, ISSUER = "/admin/", "/admin/oidc/login/", "https://id.example"
CLIENT, SECRET = "milo-staff", "a secret of the client"


@dataclass
class Provider:
    """Grants a code for each question, and an ID token for each code to whoever shows what the question promised."""

    key: rsa.RSAPrivateKey
    claims: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    answer: dict[str, Any] | None = None

    def grant(self, address: str) -> dict[str, str]:
        """What the provider sends the browser back with."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self, form: dict[str, list[str]], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.asked.pop(form["code"][0], None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '%20')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", [""])[0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if authorization not in (f"Basic {basic}", f"Basic {plain}"):
            return 401, {"error": "invalid_client"}
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"][0]:
            return 400, {"error": "invalid_grant"}
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": "1234", "exp": time.time() + 300, "nonce": asked["nonce"]}
        token = jwt.encode({**claims, **self.claims}, self.key, "RS256", {"kid": "key-1"})
        return 200, self.answer or {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "key-1", "use": "sig", "alg": "RS256"}]}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def provider(db: None, settings: Any, key: rsa.RSAPrivateKey) -> Iterator[Provider]:
    known = Provider(key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, known.keys())

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._send(*known.token(form, self.headers.get("Authorization", "")))

        def _send(self, code: int, body: Any) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    settings.MILO_OIDC = {
        "issuer": ISSUER,
        "audience": "milo",
        "jwks_url": f"{base}/keys",
        "username_claim": "preferred_username",
        "groups": {"finance": "finance-operator"},
        "client_id": CLIENT,
        "client_secret": SECRET,
        "authorization_url": f"{base}/authorize",
        "token_url": f"{base}/token",
    }
    oidc._keys.cache_clear()
    known.claims = {"preferred_username": "clerk", "groups": ["finance"]}
    yield known
    server.shutdown()
    server.server_close()


@pytest.fixture
def clerk(provider: Provider) -> User:
    """A member of staff whom a platform-admin has linked, and who has no role here."""
    person = make.a_person("clerk", is_staff=True)
    link(person, ISSUER, "1234", why="HR-12", actor=make.PLATFORM)
    return person


def begun(client: Client, provider: Provider, **query: str) -> dict[str, str]:
    answer = client.get(f"{BEGIN}?{urlencode(query)}")
    assert answer.status_code == 302
    return provider.grant(answer.headers["Location"])


def come_back(client: Client, answer: dict[str, str]) -> str:
    """Where the browser is sent then."""
    return str(client.get("/admin/oidc/callback/", answer).headers["Location"])


def is_in(client: Client) -> bool:
    return client.get(HOME).status_code == 200


def test_a_person_logs_in_with_the_roles_of_their_groups_and_gets_where_they_were_going(
    clerk: User, provider: Provider
) -> None:
    client = Client()
    wanted = "/admin/billing/billingaccount/"
    page = client.get("/admin/login/", {"next": wanted})
    assert f"{BEGIN}?next=%2Fadmin%2Fbilling" in page.content.decode()
    assert come_back(client, begun(client, provider, next=wanted)) == wanted
    assert client.get(wanted).status_code == 200
    assert client.session["_auth_user_id"] == str(clerk.pk)
    assert "milo_started" in client.session


def test_without_groups_there_are_the_roles_held_here_alone(clerk: User, provider: Provider) -> None:
    provider.claims["groups"] = []
    client = Client()
    come_back(client, begun(client, provider))
    assert not is_in(client)


def test_no_address_elsewhere_is_led_to(clerk: User, provider: Provider) -> None:
    client = Client()
    assert come_back(client, begun(client, provider, next="https://elsewhere.example/")) == HOME


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "milo"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"nonce": "of another log-in"},
        {"azp": "another-client", "aud": [CLIENT, "another-client"]},
        {"azp": [CLIENT]},
        {"nonce": None},
        {"sub": "5678"},
        {"sub": 7},
        {"groups": [["finance"]]},
        {"preferred_username": ["clerk"]},
    ],
)
def test_a_token_that_is_not_of_this_person_for_us_and_now_is_refused(
    clerk: User, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims |= claims
    client = Client()
    assert come_back(client, begun(client, provider)) == "/admin/login/"
    assert not is_in(client)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("answer", [{"id_token": "x"}, {"access_token": "x"}, {"id_token": 7}, {"error": "x"}])
def test_an_answer_without_a_token_of_ours_is_refused(clerk: User, provider: Provider, answer: dict[str, Any]) -> None:
    provider.answer = answer
    client = Client()
    assert come_back(client, begun(client, provider)) == "/admin/login/"
    assert not is_in(client)


def test_an_answer_counts_in_the_session_that_asked_and_once(clerk: User, provider: Provider) -> None:
    """Else a person could be logged in as somebody else, or a code that was seen be used again."""
    thief, victim = Client(), Client()
    answer = begun(thief, provider)
    assert come_back(victim, answer) == "/admin/login/"
    begun(victim, provider)
    assert come_back(victim, answer) == "/admin/login/"
    assert not is_in(victim)
    assert come_back(thief, {**answer, "state": "x"}) == "/admin/login/"
    assert come_back(thief, answer) == "/admin/login/"
    assert not is_in(thief)


@pytest.mark.parametrize("change", ["verifier", "secret"])
def test_the_provider_is_shown_the_verifier_and_the_secret(
    clerk: User, provider: Provider, settings: Any, change: str
) -> None:
    client = Client()
    answer = begun(client, provider)
    if change == "secret":
        settings.MILO_OIDC["client_secret"] = "another"
    else:
        session = client.session
        session["milo_oidc"] = {**session["milo_oidc"], "verifier": "x" * 64}
        session.save()
    assert come_back(client, answer) == "/admin/login/"
    assert not is_in(client)


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
def test_who_is_no_active_staff_is_refused(clerk: User, provider: Provider, change: dict[str, bool]) -> None:
    User.objects.filter(pk=clerk.pk).update(**change)
    client = Client()
    assert come_back(client, begun(client, provider)) == "/admin/login/"
    assert not is_in(client)


def test_a_refusal_of_the_provider_and_one_that_is_away_are_told_on_the_page_to_log_in(
    clerk: User, provider: Provider, settings: Any
) -> None:
    client = Client()
    answer = begun(client, provider)
    assert come_back(client, {"error": "access_denied", "state": answer["state"]}) == "/admin/login/"
    assert "log-in by your organization failed" in client.get("/admin/login/").content.decode()
    answer = begun(client, provider)
    settings.MILO_OIDC["token_url"] = "http://127.0.0.1:1/token"
    assert come_back(client, answer) == "/admin/login/"
    assert not is_in(client)


def test_a_subject_that_is_unlinked_is_out_at_once(clerk: User, provider: Provider) -> None:
    client = Client()
    come_back(client, begun(client, provider))
    assert is_in(client)
    unlink(Identity.objects.get().pk, why="has left", actor=make.PLATFORM)
    assert not is_in(client)
    assert come_back(client, begun(client, provider)) == "/admin/login/"


def test_the_second_factor_is_asked_for_all_the_same(clerk: User, provider: Provider, settings: Any) -> None:
    settings.MILO_SECOND_FACTOR_STAFF = True
    client = Client()
    come_back(client, begun(client, provider))
    assert client.get(HOME).headers["Location"].startswith("/admin/second-factor/")


def test_without_a_provider_for_the_staff_site_there_is_no_such_way(clerk: User, settings: Any) -> None:
    settings.MILO_OIDC = {name: settings.MILO_OIDC[name] for name in ("issuer", "audience", "jwks_url")}
    client = Client()
    assert BEGIN not in client.get("/admin/login/").content.decode()
    assert client.get(BEGIN).status_code == client.get("/admin/oidc/callback/").status_code == 404
