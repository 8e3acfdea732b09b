"""Refusals repeat much of what was sent, and no card number, wherever it was put and however it is written."""

from typing import Any
from urllib.parse import quote

import pytest

from projects.models import Organization
from tests.api.client import ACCOUNTS, BINDINGS, JSON_PATCH, MERGE_PATCH, PROJECTS, Answer, Api
from tests.api.examples import an_account
from tests.support import make

pytestmark = pytest.mark.once

NUMBERS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111  1111  1111  1111",
    "ab4111111111111111" + "c" * 46,
    "0" * 16 + "4111111111111111",
]
US = f"{ACCOUNTS}/us"
APPLY = "application/apply-patch+yaml"
PLACES: dict[str, Any] = {
    "a name": lambda api, text: api.get(f"{ACCOUNTS}/{quote(text, safe='')}"),
    "a namespace": lambda api, text: api.get(ACCOUNTS.replace("acme-corp", quote(text, safe=""))),
    "a group": lambda api, text: api.get(f"/apis/{quote(text, safe='')}/v1/x"),
    "a document": lambda api, text: api.get(f"/openapi/v3/{quote(text, safe='')}"),
    "an operation": lambda api, text: api.patch(US, [{"op": text, "path": "/spec/a"}], JSON_PATCH),
    "a path": lambda api, text: api.patch(US, [{"op": "remove", "path": f"/spec/{text}"}], JSON_PATCH),
    "a path behind others": lambda api, text: api.patch(
        US, [{"op": "remove", "path": f"/spec/{'a' * 187}{text}"}], JSON_PATCH
    ),
    "the path of a test": lambda api, text: api.patch(
        US, [{"op": "test", "path": f"/spec/{text}", "value": text}], JSON_PATCH
    ),
    "where a copy begins": lambda api, text: api.patch(
        US, [{"op": "copy", "from": f"/spec/{text}", "path": "/spec/a"}], JSON_PATCH
    ),
    "a path of no pointer": lambda api, text: api.patch(US, [{"op": "add", "path": text, "value": 1}], JSON_PATCH),
    "a directive": lambda api, text: api.patch(
        US, {"spec": {"$patch": text}}, "application/strategic-merge-patch+json"
    ),
    "a field": lambda api, text: api.patch(US, {"spec": {text: 1}}),
    "a long field": lambda api, text: api.patch(US, {"spec": {"a" * 70 + text: 1}}),
    "a field of the metadata": lambda api, text: api.patch(US, {"metadata": {text: 1}}),
    "a field of one word": lambda api, text: api.patch(US, {text: 1}),
    "a field twice": lambda api, text: api.patch(US, f'{{"spec": {{"{text}": 1, "{text}": 2}}}}', MERGE_PATCH),
    "a field twice in YAML": lambda api, text: api.post(
        ACCOUNTS, f'spec:\n  "{text}": 1\n  "{text}": 2\n', "application/yaml"
    ),
    "a field that is applied": lambda api, text: api.patch(
        f"{US}?fieldManager=a", an_account("us", spec={text: 1}), APPLY
    ),
    "a kind": lambda api, text: api.post(ACCOUNTS, an_account("b") | {"kind": text}),
    "a version": lambda api, text: api.post(ACCOUNTS, an_account("b") | {"apiVersion": text}),
    "a new name": lambda api, text: api.post(ACCOUNTS, an_account(text)),
    "a label": lambda api, text: api.patch(US, {"metadata": {"labels": {text + "!": "a"}}}),
    "the value of a label": lambda api, text: api.patch(US, {"metadata": {"labels": {"a": text + "!"}}}),
    "an annotation": lambda api, text: api.patch(US, {"metadata": {"annotations": {text + "!": "a"}}}),
    "a finalizer": lambda api, text: api.patch(US, {"metadata": {"finalizers": [text]}}),
    "a revision": lambda api, text: api.patch(US, {"metadata": {"resourceVersion": text}}),
    "a uid": lambda api, text: api.patch(US, {"metadata": {"uid": text}}),
    "a currency": lambda api, text: api.patch(US, {"spec": {"currencyCode": text}}),
    "a method": lambda api, text: api.patch(US, {"spec": {"paymentTerms": {"method": text}}}),
    "a project": lambda api, text: api.post(
        BINDINGS,
        {"metadata": {"name": "b"}, "spec": {"projectRef": {"name": text}, "billingAccountRef": {"name": text}}},
    ),
    "a label selector": lambda api, text: api.get(f"{ACCOUNTS}?labelSelector={quote(text)}!"),
    "a field selector": lambda api, text: api.get(f"{ACCOUNTS}?fieldSelector={quote(text)}%3Da"),
    "a number of rows": lambda api, text: api.get(f"{ACCOUNTS}?limit={quote(text)}x"),
    "a token": lambda api, text: api.get(f"{ACCOUNTS}?continue={quote(text)}"),
    "a revision of a list": lambda api, text: api.get(f"{ACCOUNTS}?resourceVersion={quote(text)}x"),
    "a dry run": lambda api, text: api.patch(f"{US}?dryRun={quote(text)}", {}),
    "a validation": lambda api, text: api.patch(f"{US}?fieldValidation={quote(text)}", {}),
    "a parameter": lambda api, text: api.get(f"{US}/history?{quote(text)}=1"),
    "a parameter of a list": lambda api, text: api.get(f"{ACCOUNTS}?{quote(text)}=1"),
    "a long parameter": lambda api, text: api.get(f"{ACCOUNTS}?{'a' * 70}{quote(text)}=1"),
    "a field that is ignored": lambda api, text: api.patch(f"{US}?fieldValidation=Warn", {"spec": {text: 1}}),
    "a group of usage": lambda api, text: api.get(f"{PROJECTS}/webapp/usage?groupBy={quote(text)}"),
    "an encoding": lambda api, text: api.post(ACCOUNTS, b"{}", **{"content-encoding": text}),
    "a type": lambda api, text: api.post(ACCOUNTS, b"{}", f"application/{text.replace(' ', '-')}"),
    "what is accepted": lambda api, text: api.get(ACCOUNTS, accept=f"application/{text.replace(' ', '-')}"),
    "a precondition": lambda api, text: api.patch(US, {}, **{"if-match": f'"{text}"'}),
    "no JSON": lambda api, text: api.post(ACCOUNTS, text + "{"),
    "no YAML": lambda api, text: api.post(ACCOUNTS, f"{text}: [", "application/yaml"),
    "an option of a deletion": lambda api, text: api.delete(US, {"propagationPolicy": text}),
}


def told(answer: Answer) -> str:
    """Everything that an answer says, without what stands between the groups of a number."""
    said = answer.raw.decode() + "".join(f"{name}: {value}" for name, value in answer.headers.items())
    return "".join(said.split())


@pytest.mark.parametrize("place", PLACES)
def test_no_refusal_repeats_a_card_number(admin: Api, organization: Organization, place: str) -> None:
    make.a_ready_account(organization, "us")
    make.a_project(organization, "webapp")
    for number in NUMBERS:
        answer = PLACES[place](admin, number)
        assert answer.code >= 400 or "Warning" in answer.headers, answer.raw
        assert answer.code < 500, answer.raw
        assert "41111111" not in told(answer), (number, told(answer))


def test_what_is_no_card_number_is_repeated(admin: Api, organization: Organization) -> None:
    status = admin.get(f"{ACCOUNTS}/4111111111111112").refused(404, "NotFound")
    assert "4111111111111112" in status["message"]
    assert status["details"]["name"] == "4111111111111112"
