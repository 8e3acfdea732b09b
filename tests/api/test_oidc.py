"""Bearer tokens of an OpenID Connect provider, whose keys are served by a real HTTP server."""

import json
import time
from typing import Any
from unittest import mock

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User

from milo.identity.identities import link
from projects.models import Organization
from tests.api.client import ORGANIZATIONS, Api
from tests.api.oidc import ISSUER, Published, Sign
from tests.support import make

pytestmark = pytest.mark.once


def test_groups_of_the_token_are_roles_and_the_person_is_known_from_then_on(sign: Sign) -> None:
    make.an_organization("acme-corp")
    assert sign(groups=["finance", "unheard-of"]).get(ORGANIZATIONS).names() == ["acme-corp"]
    person = User.objects.get(username="federated")
    assert not person.has_usable_password()
    sign(groups=["unheard-of"]).get(ORGANIZATIONS).refused(403, "Forbidden")
    assert User.objects.filter(username="federated").count() == 1


def test_roles_granted_here_count_beside_those_of_the_token(sign: Sign) -> None:
    organization: Organization = make.an_organization("acme-corp")
    person = make.a_person("federated", roles={organization: "billing-viewer"})
    link(person, ISSUER, "1234", why="she has come to the provider", actor=make.PLATFORM)
    assert sign().get(ORGANIZATIONS).names() == ["acme-corp"]


@pytest.mark.parametrize(
    "change",
    [
        {"key": "foreign"},
        {"headers": {"kid": "key-2"}},
        {"headers": {}},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"iss": "https://elsewhere.example"},
        {"aud": "another-service"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": time.time() + 3600},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": ""},
        {"preferred_username": ["operator"]},
    ],
)
def test_a_token_that_is_not_for_us_by_them_and_now_is_refused(sign: Sign, change: dict[str, Any]) -> None:
    sign(groups=["finance"], **change).get(ORGANIZATIONS).refused(401, "Unauthorized")
    assert not User.objects.exists()


def test_a_key_of_the_provider_that_is_too_short_signs_nothing(
    sign: Sign, published: Published, keys: dict[str, rsa.RSAPrivateKey]
) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    published.public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(short.public_key()))
    with mock.patch.dict(keys, ours=short):
        sign(groups=["finance"]).get(ORGANIZATIONS).refused(401, "Unauthorized")
    assert published.asked == 1
    assert not User.objects.exists()


def test_a_clock_that_is_a_little_off_is_forgiven(sign: Sign) -> None:
    sign(groups=["finance"], exp=time.time() - 30).get(ORGANIZATIONS).done()


def test_a_disabled_person_is_refused(sign: Sign) -> None:
    sign(groups=["finance"]).get(ORGANIZATIONS).done()
    User.objects.update(is_active=False)
    sign(groups=["finance"]).get(ORGANIZATIONS).refused(401, "Unauthorized")


def test_what_is_no_token_at_all_is_refused(sign: Sign) -> None:
    for text in ("x", "a.b.c", "eyJhbGciOiJSUzI1NiJ9..", "." * 500):
        Api(text).get(ORGANIZATIONS).refused(401, "Unauthorized")


@pytest.mark.parametrize("name", ["a\x00b", "two\nlines", "x" * 151, "\u202eoperator", 7, {"a": 1}])
def test_a_name_that_nobody_can_have_is_refused(sign: Sign, name: Any) -> None:
    sign(preferred_username=name, groups=["finance"]).get(ORGANIZATIONS).refused(401, "Unauthorized")
    assert not User.objects.exists()


@pytest.mark.parametrize("kid", [7, ["key-1"], {}, "key-1\x00"])
def test_a_key_id_that_is_none_is_refused(sign: Sign, kid: Any) -> None:
    _header, payload, signature = sign(groups=["finance"]).secret.split(".")
    forged = jwt.utils.base64url_encode(json.dumps({"alg": "RS256", "kid": kid}).encode()).decode()
    Api(f"{forged}.{payload}.{signature}").get(ORGANIZATIONS).refused(401, "Unauthorized")


def test_invented_key_ids_do_not_ask_the_provider_each_time(sign: Sign, published: Published) -> None:
    sign(groups=["finance"]).get(ORGANIZATIONS).done()
    for number in range(20):
        sign(headers={"kid": f"invented-{number}"}).get(ORGANIZATIONS).refused(401, "Unauthorized")
    assert published.asked == 1


def test_a_key_that_the_provider_changes_is_learned_and_the_old_one_forgotten(
    sign: Sign, published: Published, clock: list[float]
) -> None:
    sign(groups=["finance"]).get(ORGANIZATIONS).done()
    published.key_id = "key-2"
    clock[0] += 31
    sign(headers={"kid": "key-2"}, groups=["finance"]).get(ORGANIZATIONS).done()
    sign(groups=["finance"]).get(ORGANIZATIONS).refused(401, "Unauthorized")


def test_known_keys_serve_while_the_provider_is_away(sign: Sign, published: Published, clock: list[float]) -> None:
    sign(groups=["finance"]).get(ORGANIZATIONS).done()
    published.body = b"<html>down for maintenance</html>"
    for _minute in range(10):
        clock[0] += 60
        sign(groups=["finance"]).get(ORGANIZATIONS).done()
    assert published.asked > 2


@pytest.mark.parametrize("body", [b"<html>down</html>", b"[]", b"{}", b'{"keys": []}', b"\xff"])
def test_what_is_no_set_of_keys_is_an_outage_that_is_asked_about_once_in_a_while(
    sign: Sign, published: Published, body: bytes
) -> None:
    published.body = body
    for _request in range(5):
        sign(groups=["finance"]).get(ORGANIZATIONS).refused(503, "ServiceUnavailable")
    assert published.asked == 1


def test_keys_that_cannot_be_had_are_an_outage_and_no_refusal(sign: Sign, settings: Any) -> None:
    settings.MILO_OIDC["jwks_url"] = "http://127.0.0.1:1/keys"
    sign(groups=["finance"]).get(ORGANIZATIONS).refused(503, "ServiceUnavailable")


def test_without_a_provider_only_service_tokens_admit(sign: Sign, settings: Any) -> None:
    settings.MILO_OIDC = {}
    sign(groups=["finance"]).get(ORGANIZATIONS).refused(401, "Unauthorized")
