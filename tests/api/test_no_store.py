"""No cache keeps what the API answers, refusals included; only the documents, which anybody may read, are kept."""

import asyncio
from typing import Any

import httpx
import pytest

from milo.asgi import application
from milo.handler import OneHopHandler
from milo.kube.wire import body_limit
from milo.kube.wire.status import API_PREFIXES
from tests.api.client import ACCOUNTS, Api
from tests.api.test_authorization_matrix import METHODS, routes

DOCUMENTS = {"openapi/v2", "openapi/v3/<path:place>"}
PLACES = {
    "<str:namespace>": "acme-corp",
    "<str:name>": "us",
    "<str:group>": "billing.milo.io",
    "<str:version>": "v1alpha1",
    "<path:place>": "api/v1",
}
OF_API = sorted(route for route in set(routes()) if f"/{route}".startswith(API_PREFIXES))
NOWHERE = ["/apis/a/b/c", "/apis/nothing", "/api/v2", "/openapi/v9", "/openapi/v3/nothing", "/version/x"]


def address(route: str) -> str:
    for placeholder, value in PLACES.items():
        route = route.replace(placeholder, value)
    assert "<" not in route
    return f"/{route}"


def test_every_route_of_the_api_is_looked_at() -> None:
    assert len(OF_API) > 60
    assert set(OF_API) >= DOCUMENTS


@pytest.mark.once  # the header is added to every answer, whatever it says
@pytest.mark.django_db
@pytest.mark.parametrize("route", OF_API)
def test_nothing_that_a_route_answers_is_kept(route: str, operator: Api, admin: Api) -> None:
    for api in (Api(), operator, admin, Api("forged")):
        for method in METHODS:
            answer = api.call(method, address(route), {} if method in ("POST", "PUT", "PATCH") else None)
            if route in DOCUMENTS and answer.code == 200:
                continue
            assert answer.headers["Cache-Control"] == "no-store", (method, answer.code)


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize("path", NOWHERE)
def test_nor_is_what_is_not_there(path: str, operator: Api) -> None:
    for answer in (operator.get(path), Api().post(path, {}), operator.get(path, host="evil.example")):
        assert answer.code >= 400
        assert answer.headers["Cache-Control"] == "no-store"


def asked(method: str, **options: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        served: Any = application
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://127.0.0.1") as client:
            return await client.request(method, ACCOUNTS, **options)

    return asyncio.run(ask())


async def trickling() -> Any:
    yield b"{"
    await asyncio.sleep(5)


def test_nor_is_what_is_answered_before_django(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "WITHIN_SECONDS", 0.05)
    large, slow = asked("POST", content=b"x" * 2_000_000), asked("POST", content=trickling())
    monkeypatch.delattr(OneHopHandler, "_respond")
    broken = asked("GET")
    assert [answer.status_code for answer in (large, slow, broken)] == [413, 408, 500]
    for answer in (large, slow, broken):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json()["kind"] == "Status"
        assert answer.headers["X-Request-ID"]
