"""schemathesis over the whole document: what it makes up meets no fault, no undocumented answer, and no belief."""

import os
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import orjson
import pytest
import schemathesis
from django.db import transaction
from django.test.client import ClientHandler
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from billing.services.charges import ChargeSpec, report_charge
from milo.kube.openapi.documents import documents
from milo.kube.wire.parameters import FLAGS
from projects.models import Organization
from tests.api.client import ACCOUNTS, Api
from tests.support import make

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXPLORE = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
CONFIG = {
    "generation": {
        "max-examples": 40 if EXPLORE else 4,
        "deterministic": True,
        # who asks is the test's
        "with-security-parameters": False,
    },
    # every boundary of every field takes minutes
    "phases": {"coverage": {"enabled": EXPLORE}},
    # also 412: If-Match is looked at first
    "checks": {"negative_data_rejection": {"expected-statuses": [*range(400, 418), 422]}},
}
NAMES = {
    "namespaces": "acme-corp",
    "organizations": "acme-corp",
    "projects": "web",
    "billingaccounts": "us",
    "billingaccountbindings": "web-to-us",
    "approvalrequests": "us-terms",
    "charges": "invoice-1",
}
_handler = ClientHandler(enforce_csrf_checks=False)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Django as its own test client calls it, which leaves the test's transaction open."""
    response: Any = _handler(environ)
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.content]


@pytest.fixture
def document(organization: Organization) -> Any:
    """The document of everything, whose paths name objects that there are as often as ones that are missing."""
    us = make.a_ready_account(organization, "us")
    make.a_ready_account(organization, "eu")
    make.a_binding(make.a_project(organization, "web"), us, "web-to-us")
    make.a_request(us, name="us-terms")
    charge = ChargeSpec("invoice-1", Decimal(10), "USD", date(2026, 1, 31))
    report_charge(organization.pk, "us", charge, name="invoice-1", actor=make.PLATFORM)
    whole = orjson.loads(documents()["all"].content)
    # its stream reads in threads of its own, which do not see what the test's transaction has made
    del whole["paths"][f"{ACCOUNTS.replace('acme-corp', '{namespace}')}/{{name}}/usage/focus"]
    for path, operations in whole["paths"].items():
        plural = path.partition("/{name}")[0].rpartition("/")[2]
        for parameter in (found for operation in operations.values() for found in operation.get("parameters", ())):
            if parameter["in"] == "path":
                there = "acme-corp" if parameter["name"] == "namespace" else NAMES.get(plural, "missing")
                parameter["schema"] = {"enum": [there, "missing"]}
                del parameter["examples"]
    schema = schemathesis.openapi.from_dict(whole, config=SchemathesisConfig.from_dict(CONFIG))
    schema.app = application
    return schema


operations = schemathesis.pytest.from_fixture("document")


@pytest.mark.once  # what an engine decides has tests of its own
@pytest.mark.slow
@operations.parametrize()
def test_nothing_made_up_meets_a_fault_an_undocumented_answer_or_belief(
    case: schemathesis.Case[Any], operator: Api, admin: Api
) -> None:
    if case.query:
        # a stream does not end; Kubernetes takes an empty flag for a set one, and answers 504 to a revision to come
        case.query = {
            key: value
            for key, value in case.query.items()
            if key not in FLAGS and not (key == "resourceVersion" and str(value).isdecimal())
        }
    for person in (operator, admin):
        before = transaction.savepoint()
        case.call_and_validate(headers={"Authorization": f"Bearer {person.secret}"}, checks=CHECKS)
        transaction.savepoint_rollback(before)
