"""A manifest that means what is stored changes nothing, in whichever form its values are written and sent.

The cases are made: every value of a manifest of each kind in many spellings, and every field that is left out with
each value that is as good as none.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

import pytest
from rest_framework import serializers

from billing.api.payment_profiles import PaymentProfileSerializer
from milo import audit
from milo.kube.kinds import Kind, all_kinds
from milo.kube.models import Change
from milo.kube.store import changes
from projects.models import Organization
from tests.api.client import BILLING, RESOURCES, Answer, Api
from tests.api.examples import GERMAN_PREFERENCES
from tests.support import make

APPLY_PATCH = "application/apply-patch+yaml"
Path = tuple[str | int, ...]
GERMAN = {
    "displayName": "Acme Germany",
    "currencyCode": "EUR",
    "paymentTerms": {
        "netDays": 60,
        "invoiceFrequency": "Quarterly",
        "invoiceDayOfMonth": 15,
        "businessDayConvention": "FOLLOWING",
        "earlyPaymentDiscount": {"percent": "2.5", "days": 10},
        "latePaymentPenalty": {"annualRatePercent": "9.12", "graceDays": 5},
        "extendedTermsAgreed": True,
    },
    "paymentProfile": {
        "sepaDebitCore": {
            "mandateReference": "ACME-CORP-EU-1",
            "mandateSignedDate": "2024-01-15",
            "ibanToken": "ba-67890",
            "ibanLast4": "3000",
        }
    },
    "invoiceEmailAddresses": ["invoices@acme-corp.example", "second@acme-corp.example"],
    "preferences": GERMAN_PREFERENCES,
}
ITALIAN = {
    "currencyCode": "EUR",
    "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
    "paymentProfile": {"creditCard": {"cardReference": "cc-12345"}},
    "preferences": {
        "country": "IT",
        "eInvoicing": {
            "standard": "FATTURAPA_SDI",
            "identifiers": {"codiceDestinatario": "ABC1234"},
        },
    },
}
CERTIFIED_MAIL = ITALIAN | {
    "preferences": {"country": "IT", "eInvoicing": {"identifiers": {"pecAddress": "fatture@acme-corp.example"}}}
}
REFERENCE = {"billingAccountRef": {"name": "us"}}
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("Organization", "acme-corp", {"displayName": "Acme Corporation"}),
    (
        "Project",
        "webapp",
        {
            "organizationRef": {"name": "acme-corp"},
            "displayName": "Web application",
            "contactEmailAddresses": ["web@acme-corp.example"],
        },
    ),
    ("BillingAccount", "german", GERMAN),
    ("BillingAccount", "italian", ITALIAN),
    ("BillingAccount", "certified-mail", CERTIFIED_MAIL),
    ("BillingAccount", "empty", {}),
    ("BillingAccountBinding", "payer", {"projectRef": {"name": "shop"}, **REFERENCE}),
    (
        "PayerChange",
        "plan",
        {
            "projects": ["shop"],
            "toAccountRef": {"name": "us"},
            "effectiveAt": f"{datetime.now(UTC).year + 1}-01-01T00:00:00Z",
            "atomic": True,
            "reason": "The department moves.",
        },
    ),
    (
        "BillingAccountAffiliation",
        "eu-under-us",
        {
            "billingAccountRef": {"name": "eu"},
            "parentRef": {"name": "us"},
            "payer": "Self",
            "effectiveFrom": f"{datetime.now(UTC).year + 1}-01",
            "reason": "One report for the group.",
        },
    ),
    (
        "ApprovalRequest",
        "terms",
        {
            **REFERENCE,
            "action": "ReviseTerms",
            "justification": "Agreed in the renewal.",
            "proposal": {
                "paymentTerms": {
                    "netDays": 45,
                    "invoiceFrequency": "Annual",
                    "invoiceDayOfMonth": 1,
                    "latePaymentPenalty": {"annualRatePercent": "9.5"},
                }
            },
        },
    ),
    (
        "Charge",
        "invoice-1",
        {
            **REFERENCE,
            "externalId": "Invoice-1",
            "amount": "1250.5",
            "currencyCode": "USD",
            "dueDate": "2026-12-31",
            "description": "January",
        },
    ),
    (
        "Charge",
        "of-a-month",
        {
            **REFERENCE,
            "subAccountRef": {"name": "us"},
            "month": f"{datetime.now(UTC):%Y-%m}",
            "externalId": "Invoice-2",
            "amount": "1250.5",
            "currencyCode": "USD",
            "dueDate": "2026-12-31",
        },
    ),
]
IDS = [f"{kind}-{name}" for kind, name, _spec in CASES]


def _grouped(text: str) -> str:
    return " ".join(text[start : start + 3] for start in range(0, len(text), 3))


SPELLINGS: list[Callable[[str], str]] = [
    lambda text: f" {text}\t",
    str.upper,
    str.lower,
    _grouped,
    lambda text: text.replace("-", "_"),
    lambda text: text.replace("-", ""),
    lambda text: "-".join(text),
    lambda text: ".".join(text),
    lambda text: f"{text}0",
    lambda text: f"{text}.0",
    lambda text: f"0{text}",
    lambda text: f"+{text}",
    lambda text: text[2:],
    lambda text: f"iso6523-actorid-upis::{text}",
    lambda text: text.removesuffix("Z") + "+00:00",
    lambda text: "".join(chr(ord(letter) + 0xFEE0) if letter.isalnum() else letter for letter in text),
]
AS_GOOD_AS_NONE: list[Any] = [None, "", " ", [], {}, 0, False, "NONE", "business"]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The texts in a manifest."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    elif isinstance(value, str):
        yield path, value


def left_out(serializer: Any, value: Any, path: Path = ()) -> Iterator[Path]:
    """The fields that a spec could have and has not."""
    if isinstance(serializer, PaymentProfileSerializer):
        return
    for name, field in serializer.fields.items():
        if name not in value:
            yield (*path, name)
        elif isinstance(field, serializers.Serializer):
            yield from left_out(field, value[name], (*path, name))


def with_value(spec: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = deepcopy(spec)
    node: Any = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return changed


def spellings(kind: Kind, spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, text in leaves(spec):
        for spell in SPELLINGS:
            if spell(text) != text:
                yield with_value(spec, path, spell(text))
    for path in left_out(kind.spec_serializer(), spec):
        for value in AS_GOOD_AS_NONE:
            yield with_value(spec, path, value)


def kind_called(name: str) -> Kind:
    return next(kind for kind in all_kinds() if kind.kind == name)


def collection(kind: Kind) -> str:
    root = BILLING if kind.group.startswith("billing") else RESOURCES
    return f"{root}/namespaces/acme-corp/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"


def manifest(kind: Kind, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def person(organization: Organization, db: None) -> Api:
    """Who may write objects of every kind."""
    make.a_ready_account(organization, "us")
    make.a_ready_account(organization, "eu")
    make.a_project(organization, "shop")
    return Api.of(make.a_person("everything", groups=("finance-operator", "charge-reporter")))


def server_side(api: Api, place: str, sent: dict[str, Any]) -> Answer:
    address = f"{place}/{sent['metadata']['name']}?fieldManager=argocd&force=true"
    return api.patch(address, sent, APPLY_PATCH)


def client_side(api: Api, place: str, sent: dict[str, Any]) -> Answer:
    address = f"{place}/{sent['metadata']['name']}"
    return api.patch(f"{address}?fieldManager=kubectl-client-side-apply", {"spec": sent["spec"]})


def replace(api: Api, place: str, sent: dict[str, Any]) -> Answer:
    address = f"{place}/{sent['metadata']['name']}"
    version = api.get(address).version
    return api.put(address, {**sent, "metadata": {**sent["metadata"], "resourceVersion": version}})


WAYS = [server_side, client_side, replace]


def ledger() -> tuple[int, ...]:
    """What people answer for: how many rows of history there are, and how many events."""
    histories = [history.model_of(model)._default_manager.count() for model, history in audit.histories().items()]
    return (*histories, Change.objects.exclude(reason="").count())


@pytest.mark.once  # spellings are normalized before the database is asked
@pytest.mark.parametrize(("kind_name", "name", "spec"), CASES, ids=IDS)
def test_what_means_the_same_changes_nothing(person: Api, kind_name: str, name: str, spec: dict[str, Any]) -> None:
    kind = kind_called(kind_name)
    place, taken = collection(kind), 0
    made = server_side(person, place, manifest(kind, name, spec))
    assert made.code in (200, 201), made.raw
    # one in four, and each way has a third of them: a case takes four requests
    for variant, way in zip(islice(spellings(kind, spec), 0, None, 4), cycle(WAYS), strict=False):
        shown, before = person.get(f"{place}/{name}").json["spec"], ledger()
        sent = manifest(kind, name, variant)
        answer = way(person, place, sent)
        if answer.code != 200:
            assert answer.code in (400, 422), (variant, answer.raw)
            continue
        taken += 1
        if answer.json["spec"] == shown:
            assert ledger() == before, variant
        before, revisions = ledger(), changes.current_version()
        again = way(person, place, sent)
        assert again.json == answer.json, variant
        assert (ledger(), changes.current_version()) == (before, revisions), variant
    assert taken, "no spelling is taken, and nothing was tried"


@pytest.mark.parametrize(("kind_name", "name", "spec"), CASES, ids=IDS)
def test_a_spelling_is_no_conflict_with_whoever_applied_another(
    person: Api, kind_name: str, name: str, spec: dict[str, Any]
) -> None:
    kind = kind_called(kind_name)
    place = collection(kind)
    server_side(person, place, manifest(kind, name, spec))
    shown = person.get(f"{place}/{name}").json["spec"]
    for variant in islice(spellings(kind, spec), 1, None, 9):
        sent, address = manifest(kind, name, variant), f"{place}/{name}?fieldManager=flux&dryRun=All"
        if person.patch(address, sent, APPLY_PATCH).code == 409:
            forced = person.patch(f"{address}&force=true", sent, APPLY_PATCH)
            assert forced.code != 200 or forced.json["spec"] != shown, variant
