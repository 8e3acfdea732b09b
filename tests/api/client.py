"""The HTTP API as a test meets it: requests with a real token, answers as JSON, and proof that nothing changed."""

from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import orjson
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.client import ClientHandler

from tests.support import make
from tests.support.ledger import nothing_changes as nothing_changes

BILLING, RESOURCES = "/apis/billing.milo.io/v1alpha1", "/apis/resources.milo.io/v1alpha1"
ORGANIZATIONS, PROJECTS = f"{RESOURCES}/organizations", f"{RESOURCES}/projects"
ACCOUNTS, BINDINGS = (
    f"{BILLING}/namespaces/acme-corp/billingaccounts",
    f"{BILLING}/namespaces/acme-corp/billingaccountbindings",
)
MERGE_PATCH, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"


@dataclass(frozen=True)
class Answer:
    """An answer of the API."""

    response: Any

    @property
    def code(self) -> int:
        return int(self.response.status_code)

    @property
    def headers(self) -> Any:
        return self.response.headers

    @property
    def raw(self) -> bytes:
        return bytes(self.response.content)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.raw)
        return found

    @property
    def version(self) -> str:
        return str(self.json["metadata"]["resourceVersion"])

    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.json["items"]]

    def done(self, code: int = 200) -> dict[str, Any]:
        """The object of an answer that must not be a refusal."""
        assert self.code == code, self.raw
        return self.json

    def refused(self, code: int, reason: str) -> dict[str, Any]:
        """The Status of an answer that must be this refusal, told in the form of Kubernetes."""
        assert self.code == code, self.raw
        status = self.json
        assert self.headers["Content-Type"] == "application/json"
        assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
        assert (status["code"], status["reason"]) == (code, reason), status
        assert status["message"]
        return status

    def causes(self) -> dict[str, str]:
        """The message of each field that a refusal names."""
        return {cause["field"]: cause["message"] for cause in self.json["details"]["causes"]}


_handler = ClientHandler(enforce_csrf_checks=False)


def _client() -> Client:
    client = Client(raise_request_exception=False)
    # one for all: loading the middleware takes longer than most requests
    client.handler = _handler
    return client


def streamed(response: Any) -> bytes:
    """The whole of a file that is sent page by page."""

    async def read() -> bytes:
        return b"".join([part async for part in response])

    # without a loop, so that the pages are read in the transaction that holds what the test made
    with mock.patch("billing.api.usage_focus.in_thread", _at_once), pytest.raises(StopIteration) as done:
        read().send(None)
    content: bytes = done.value.value
    return content


async def _at_once(function: Any, *arguments: Any) -> Any:
    return function(*arguments)


@dataclass(frozen=True)
class Api:
    """A client of the API that sends `secret`; without one it is anonymous."""

    secret: str = ""
    client: Client = field(default_factory=_client)

    @classmethod
    def of(cls, person: User, **token: Any) -> "Api":
        """A client with a new token of `person`."""
        return cls(make.a_token(person, **token)[1])

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> Answer:
        """Send a request; a body that is not bytes or text already is sent as JSON."""
        raw = body if isinstance(body, bytes | str) else b"" if body is None else orjson.dumps(body)
        if self.secret:
            headers.setdefault("authorization", f"Bearer {self.secret}")
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return Answer(self.client.generic(method, path, raw, content_type, headers=named))

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, content_type: str = "application/json", **headers: str) -> Answer:
        return self.call("POST", path, body, content_type, **headers)

    def put(self, path: str, body: Any, content_type: str = "application/json", **headers: str) -> Answer:
        return self.call("PUT", path, body, content_type, **headers)

    def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH, **headers: str) -> Answer:
        return self.call("PATCH", path, body, content_type, **headers)

    def delete(self, path: str, body: Any = None) -> Answer:
        return self.call("DELETE", path, body)
