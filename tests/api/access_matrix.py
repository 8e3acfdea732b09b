"""What each address of the API answers to whom: the table that the authorization matrix is checked against.

Written out by hand, on purpose: a rule added to `milo.access` must be added here too by somebody who means it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

OPERATOR, APPROVER, AUDITOR = "finance-operator", "finance-approver", "auditor"
USAGE, CHARGES = "usage-reporter", "charge-reporter"
ADMIN, USER, VIEWER = "billing-admin", "billing-user", "billing-viewer"
DELEGATOR = "auth-delegator"
PLATFORM_ROLES = (OPERATOR, APPROVER, AUDITOR, USAGE, CHARGES, DELEGATOR, "platform-admin")
ORGANIZATION_ROLES = (ADMIN, USER, VIEWER)
NOBODY = "nobody"

MEMBERS = frozenset(ORGANIZATION_ROLES)
READERS = MEMBERS | {OPERATOR, APPROVER, AUDITOR}
SEE_NAMESPACES = READERS | {CHARGES}
EVERYBODY = MEMBERS | frozenset(PLATFORM_ROLES) | {NOBODY}


@dataclass(frozen=True)
class Case:
    """What one method answers: `code` to `who`, 403 to others of `seers`, `others` to the rest.

    `missing` is what `who` gets where the object is not there; nobody gets anything else for a foreign object.
    `spec` is that of the body, where one is sent: a function of the prefix of all names.
    """

    code: int
    who: frozenset[str]
    seers: frozenset[str] = READERS
    others: int = 404
    missing: int = 404
    body: Callable[[str], Any] | None = None
    query: str = ""

    def expected(self, person: str) -> int:
        if person in self.who:
            return self.code
        return 403 if person in self.seers else self.others


def _reference(prefix: str, kind: str) -> dict[str, str]:
    return {"name": f"{prefix}-{kind}"}


def _manifest(group: str, kind: str, name: str, spec: Callable[[str], dict[str, Any]]) -> Callable[[str], Any]:
    def body(prefix: str) -> dict[str, Any]:
        api_version = f"{group}.milo.io/v1alpha1"
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec(prefix)}

    return body


def _spec(**spec: Any) -> Callable[[str], Any]:
    return lambda prefix: {"spec": spec}


NEW_ORGANIZATION = _manifest("resources", "Organization", "new", lambda _prefix: {})
NEW_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}
NEW_PROJECT = _manifest("resources", "Project", "new", lambda prefix: {"organizationRef": {"name": f"{prefix}-corp"}})
NEW_ACCOUNT = _manifest("billing", "BillingAccount", "new", lambda _prefix: {"currencyCode": "USD"})
NEW_BINDING = _manifest(
    "billing",
    "BillingAccountBinding",
    "new",
    lambda prefix: {
        "projectRef": _reference(prefix, "project"),
        "billingAccountRef": _reference(prefix, "spare"),
    },
)
NEW_REQUEST = _manifest(
    "billing",
    "ApprovalRequest",
    "new",
    lambda prefix: {"billingAccountRef": _reference(prefix, "spare"), "action": "Close", "justification": "unused"},
)
NEW_PAYER_CHANGE = _manifest(
    "billing",
    "PayerChange",
    "new",
    lambda prefix: {
        "projects": [f"{prefix}-project"],
        "toAccountRef": _reference(prefix, "spare"),
        "reason": "the department moves",
    },
)
NEW_AFFILIATION = _manifest(
    "billing",
    "BillingAccountAffiliation",
    "new",
    lambda prefix: {
        "billingAccountRef": _reference(prefix, "spare"),
        "parentRef": _reference(prefix, "account"),
        "payer": "Self",
        "reason": "one report",
    },
)
NEW_CHARGE = _manifest(
    "billing",
    "Charge",
    "new",
    lambda prefix: {
        "billingAccountRef": _reference(prefix, "account"),
        "externalId": "x-2",
        "amount": "10.00",
        "currencyCode": "USD",
        "dueDate": "2026-12-31",
    },
)
LABELS: dict[str, Any] = {"metadata": {"labels": {"tier": "gold"}}}
# the test sends the object as the operator reads it
AS_READ: Callable[[str], Any] = lambda _prefix: None  # noqa: E731
SUSPEND = _spec(reasonCode="ManualReview", message="under review")
COMMENT = _spec(comment="as agreed")


def _collection(new: Callable[[str], Any], who: frozenset[str], readers: frozenset[str] = READERS) -> dict[str, Case]:
    """A collection in a namespace, whose objects `readers` may list and `who` may create."""
    return {
        "GET": Case(200, readers, SEE_NAMESPACES),
        "WATCH": Case(200, readers, SEE_NAMESPACES, query="watch=true"),
        "POST": Case(201, who, SEE_NAMESPACES, body=new),
    }


def _everywhere(readers: frozenset[str] = READERS) -> dict[str, Case]:
    """A list over all namespaces; what it holds is for another test to say."""
    return {"GET": Case(200, readers, others=403), "WATCH": Case(200, readers, others=403, query="watch=true")}


def _object(writers: frozenset[str], readers: frozenset[str] = READERS) -> dict[str, Case]:
    """An object; nothing is ever deleted, which whoever sees it is told."""
    return {
        "GET": Case(200, readers, readers),
        "PUT": Case(200, writers, readers, body=AS_READ),
        "PATCH": Case(200, writers, readers, body=lambda _prefix: LABELS),
        "DELETE": Case(405, readers, readers),
    }


def _read(readers: frozenset[str] = READERS, query: str = "") -> dict[str, Case]:
    return {"GET": Case(200, readers, readers, query=query)}


def _act(who: frozenset[str], body: Callable[[str], Any], readers: frozenset[str] = READERS) -> dict[str, Case]:
    return {"POST": Case(200, who, readers, body=body)}


def _review(kind: str, version: str, **spec: Any) -> dict[str, Case]:
    body = {"apiVersion": version, "kind": kind, "spec": spec}
    return {"POST": Case(201, EVERYBODY, body=lambda _prefix: body)}


OPEN = {"GET": Case(200, EVERYBODY)}
WRITERS = frozenset({OPERATOR, ADMIN})
BINDERS = WRITERS | {USER}
CHARGE_READERS = READERS | {CHARGES}
RESOURCES, BILLING = "apis/resources.milo.io/v1alpha1", "apis/billing.milo.io/v1alpha1"
INSIDE = f"{BILLING}/namespaces/<str:namespace>"
ACCOUNT, BINDING = f"{INSIDE}/billingaccounts/<str:name>", f"{INSIDE}/billingaccountbindings/<str:name>"
REQUEST, CHARGE = f"{INSIDE}/approvalrequests/<str:name>", f"{INSIDE}/charges/<str:name>"
PAYER_CHANGE = f"{INSIDE}/payerchanges/<str:name>"
AFFILIATION = f"{INSIDE}/billingaccountaffiliations/<str:name>"
ORGANIZATION, PROJECT = f"{RESOURCES}/organizations/<str:name>", f"{RESOURCES}/projects/<str:name>"

# told to strangers too: that the server is there, and of which kind it is, but of no object
PUBLIC = (
    "", "livez", "readyz", "healthz", "metrics", "version", "version/", "openapi/v2", "openapi/v3",
    "openapi/v3/<path:place>", "apis/docs", "apis/docs/",
)  # fmt: skip
ROUTES: Mapping[str, dict[str, Case]] = {
    "api": OPEN,
    "api/": OPEN,
    "apis": OPEN,
    "apis/": OPEN,
    "api/v1": OPEN,
    "api/v1/": OPEN,
    "apis/<str:group>": OPEN,
    "apis/<str:group>/": OPEN,
    "apis/<str:group>/<str:version>": OPEN,
    "apis/<str:group>/<str:version>/": OPEN,
    "apis/apiextensions.k8s.io/v1/customresourcedefinitions": OPEN,
    # there are none
    "apis/apiextensions.k8s.io/v1/customresourcedefinitions/<str:name>": {"GET": Case(404, EVERYBODY)},
    "apis/authentication.k8s.io/v1/tokenreviews": {
        "POST": Case(201, frozenset({DELEGATOR}), others=403, body=lambda _prefix: {"spec": {"token": "unknown"}}),
    },
    "apis/authentication.k8s.io/v1/selfsubjectreviews": _review("SelfSubjectReview", "authentication.k8s.io/v1"),
    "apis/authorization.k8s.io/v1/selfsubjectaccessreviews": _review(
        "SelfSubjectAccessReview", "authorization.k8s.io/v1"
    ),
    "apis/authorization.k8s.io/v1/selfsubjectrulesreviews": _review(
        "SelfSubjectRulesReview", "authorization.k8s.io/v1"
    ),
    "api/v1/namespaces": {
        "GET": Case(200, READERS, others=403),
        "POST": Case(201, frozenset({OPERATOR}), others=403, body=lambda _prefix: NEW_NAMESPACE),
    },
    "api/v1/namespaces/<str:name>": _object(WRITERS, SEE_NAMESPACES),
    "api/v1/events": {"GET": Case(200, CHARGE_READERS, others=403)},
    "api/v1/namespaces/<str:namespace>/events": _read(SEE_NAMESPACES),
    "api/v1/namespaces/<str:namespace>/events/<str:name>": _read(READERS),
    f"{RESOURCES}/organizations": {
        **_everywhere(),
        "POST": Case(201, frozenset({OPERATOR}), others=403, body=NEW_ORGANIZATION),
    },
    ORGANIZATION: _object(WRITERS, SEE_NAMESPACES),
    f"{ORGANIZATION}/status": _read(SEE_NAMESPACES),
    f"{ORGANIZATION}/unassignedusage": {"GET": Case(200, READERS, SEE_NAMESPACES)},
    f"{ORGANIZATION}/members": {"GET": Case(200, READERS, SEE_NAMESPACES)},
    f"{ORGANIZATION}/rolehistory": {"GET": Case(200, READERS, SEE_NAMESPACES)},
    f"{ORGANIZATION}/grantrole": _act(WRITERS, _spec(user=NOBODY, role=VIEWER), SEE_NAMESPACES),
    f"{ORGANIZATION}/revokerole": _act(
        WRITERS,
        lambda prefix: {"spec": {"user": f"{prefix}-member", "role": VIEWER, "reason": "has left"}},
        SEE_NAMESPACES,
    ),
    f"{RESOURCES}/projects": {
        **_everywhere(),
        "POST": Case(201, BINDERS, SEE_NAMESPACES, others=422, missing=422, body=NEW_PROJECT),
    },
    PROJECT: _object(BINDERS),
    f"{PROJECT}/status": _read(),
    f"{PROJECT}/billinghistory": _read(),
    f"{PROJECT}/usage": _read(),
    f"{PROJECT}/plannedpayer": _read(),
    f"{PROJECT}/archive": _act(WRITERS, _spec()),
    f"{PROJECT}/lockpayer": _act(WRITERS, _spec(reason="regulated workload")),
    # nobody has locked it, which who may unlock is told
    f"{PROJECT}/unlockpayer": {"POST": Case(422, WRITERS, body=_spec(reason="agreed"))},
    f"{INSIDE}/billingaccounts": _collection(NEW_ACCOUNT, WRITERS),
    f"{BILLING}/billingaccounts": _everywhere(),
    ACCOUNT: _object(WRITERS),
    f"{ACCOUNT}/status": _read(),
    f"{ACCOUNT}/suspend": _act(frozenset({OPERATOR}), SUSPEND),
    f"{ACCOUNT}/resolvesuspension": _act(
        frozenset({OPERATOR}), _spec(suspension="", evidence={"reviewer": "jo", "note": "cleared"})
    ),
    f"{ACCOUNT}/hold": _act(frozenset({OPERATOR}), _spec(type="Dispute", message="an invoice is disputed")),
    f"{ACCOUNT}/suspendpreview": _act(frozenset({OPERATOR}), SUSPEND),
    f"{ACCOUNT}/closurechecklist": _read(),
    f"{ACCOUNT}/suspensions": _read(),
    f"{ACCOUNT}/holds": _read(),
    f"{ACCOUNT}/usage": _read(),
    f"{ACCOUNT}/asof": _read(),
    f"{ACCOUNT}/hierarchy": _read(),
    f"{ACCOUNT}/payerofrecord": _read(),
    f"{ACCOUNT}/projects": _read(),
    f"{ACCOUNT}/history": _read(),
    f"{ACCOUNT}/usage/focus": {"GET": Case(200, READERS, query="period=2026-10")},
    f"{ACCOUNT}/closeusage": _act(frozenset({OPERATOR}), _spec(month="2024-01", reason="invoiced")),
    "apis/usage.milo.io/v1alpha1/events": {
        "POST": Case(200, frozenset({USAGE}), others=403, body=lambda _prefix: []),
    },
    f"{ACCOUNT}/paymentschedule": _read(query="after=2026-01-31&count=3"),
    f"{INSIDE}/billingaccountbindings": _collection(NEW_BINDING, BINDERS),
    f"{BILLING}/billingaccountbindings": _everywhere(),
    BINDING: _object(BINDERS),
    f"{BINDING}/status": _read(),
    f"{INSIDE}/billingaccountaffiliations": _collection(NEW_AFFILIATION, WRITERS),
    f"{BILLING}/billingaccountaffiliations": _everywhere(),
    AFFILIATION: _object(WRITERS),
    f"{AFFILIATION}/status": _read(),
    f"{AFFILIATION}/cancel": _act(WRITERS, _spec(reason="put off")),
    f"{INSIDE}/payerchanges": _collection(NEW_PAYER_CHANGE, BINDERS),
    f"{BILLING}/payerchanges": _everywhere(),
    PAYER_CHANGE: _object(BINDERS),
    f"{PAYER_CHANGE}/status": _read(),
    f"{PAYER_CHANGE}/items": _read(),
    f"{PAYER_CHANGE}/preview": _read(),
    f"{PAYER_CHANGE}/cancel": _act(BINDERS, _spec(reason="put off")),
    # nothing of it has failed
    f"{PAYER_CHANGE}/retry": {"POST": Case(422, BINDERS, body=_spec(reason="try again"))},
    f"{INSIDE}/approvalrequests": _collection(NEW_REQUEST, WRITERS),
    f"{BILLING}/approvalrequests": _everywhere(),
    REQUEST: _object(WRITERS),
    f"{REQUEST}/status": _read(),
    f"{REQUEST}/approve": _act(frozenset({APPROVER}), _spec(comment="as agreed", reviewedHash="")),
    f"{REQUEST}/reject": _act(frozenset({APPROVER}), COMMENT),
    # a request is its requester's, whatever the roles: here the operator's
    f"{REQUEST}/withdraw": _act(frozenset({OPERATOR}), COMMENT),
    # who asked is active, and so nobody may take it over
    f"{REQUEST}/takeover": {"POST": Case(409, WRITERS, body=COMMENT)},
    f"{REQUEST}/renew": _act(frozenset({OPERATOR}), _spec()),
    f"{INSIDE}/charges": _collection(NEW_CHARGE, frozenset({CHARGES}), CHARGE_READERS),
    f"{BILLING}/charges": _everywhere(CHARGE_READERS),
    CHARGE: _object(frozenset({CHARGES}), CHARGE_READERS),
    f"{CHARGE}/status": _read(CHARGE_READERS),
    f"{CHARGE}/settle": _act(frozenset({CHARGES}), _spec(reference="paid"), CHARGE_READERS),
}
