"""The actions of clients: each is one POST, repeated until its outcome is known, and one line of the log."""

import random
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from soak import people
from soak.http_client import Answer, Client
from soak.records import Records
from soak.world import Account, World

RESOURCES = "/apis/resources.milo.io/v1alpha1"
BILLING = "/apis/billing.milo.io/v1alpha1"
USAGE = "/apis/usage.milo.io/v1alpha1/events"
BATCH = "application/cloudevents-batch+json"
EVENTS = 10
"""Usage events of a batch."""
FIRST_YEAR = 2001
"""Of the months that are closed."""
API_VERSION = "billing.milo.io/v1alpha1"


def namespace(organization: str) -> str:
    return f"{BILLING}/namespaces/{organization}"


class Actions:
    """The actions of one client. Each is one POST, and one line of the log."""

    def __init__(self, client: Client, world: World, tokens: dict[str, str], log: Records, name: str) -> None:
        self._client, self._world, self._tokens, self._log, self._name = client, world, tokens, log, name

    def write(self, action: str, person: str, path: str, body: Any, **said: Any) -> Answer:
        """POST once, as often as it takes to know the outcome, and log it. `said` is what the checker looks for."""
        content_type = BATCH if action == "usage" else "application/json"
        key = str(uuid.uuid4())
        answer = self._client.post(path, self._tokens[person], body, key, content_type)
        record = {"action": action, "client": self._name, "person": person, "status": answer.status, **said}
        record |= {"attempts": answer.attempts, "replayed": answer.replayed}
        if answer.is_acknowledged:
            record["answer"] = _kept(answer.body)
        elif answer.status:
            record["refusal"] = str(answer.body.get("message", ""))[:300]
        self._log.append(record)
        return answer

    def read(self, person: str, path: str) -> dict[str, Any]:
        """Return an object; empty where it is not there, because the body of a refusal has other types."""
        answer = self._client.get(path, self._tokens[person])
        return answer.body if answer.is_acknowledged else {}

    def open_organization(self, organization: str) -> None:
        manifest = _manifest("Organization", organization, {"displayName": organization}, "resources.milo.io/v1alpha1")
        path = f"{RESOURCES}/organizations"
        self.write("organization", people.OPERATOR, path, manifest, organization=organization)
        admin = people.admin(organization)
        spec = {"user": admin, "role": "billing-admin", "reason": "pays"}
        path = f"{path}/{organization}/grantrole"
        self.write("role", people.OPERATOR, path, {"spec": spec}, organization=organization, user=admin)

    def open_group(self, organization: str) -> None:
        """Open an account that others come under."""
        name = f"g-{self._world.number()}"
        if self._open(organization, name):
            self._world.organizations[organization].group = Account(name)

    def open_account(self, organization: str, *, paid: bool = False) -> None:
        """Open an account; if `paid`, the group pays for it before anything uses it."""
        name = f"a-{self._world.number()}"
        if self._open(organization, name):
            if paid:
                self.affiliate(organization, name, payer="Parent", month=f"{datetime.now(UTC):%Y-%m}")
            self._world.add_account(organization, name)

    def _open(self, organization: str, name: str) -> bool:
        spec = {
            "currencyCode": "USD",
            "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
            "paymentProfile": {"creditCard": {"cardReference": "cc-12345"}},
            "invoiceEmailAddresses": [people.address(name)],
        }
        manifest = _manifest("BillingAccount", name, spec)
        path = f"{namespace(organization)}/billingaccounts"
        said = {"organization": organization, "name": name}
        return self.write("open", people.admin(organization), path, manifest, **said).is_acknowledged

    def affiliate(self, organization: str, account: str, payer: str = "Self", month: str = "") -> None:
        """Put an account under the group from a month on, by default the next: that is a plan."""
        name = f"f-{self._world.number()}"
        spec: dict[str, Any] = {
            "billingAccountRef": {"name": account},
            "parentRef": {"name": self._world.organizations[organization].group.name},
            "payer": payer,
            "reason": "the soak plans it",
        }
        spec |= {"effectiveFrom": month} if month else {}
        manifest = _manifest("BillingAccountAffiliation", name, spec)
        path = f"{namespace(organization)}/billingaccountaffiliations"
        said = {"organization": organization, "name": name, "account": account}
        answer = self.write("affiliate", people.admin(organization), path, manifest, **said)
        if answer.is_acknowledged and not month:
            self._world.organizations[organization].affiliations.append(name)

    def cancel_affiliation(self, organization: str, name: str) -> None:
        path = f"{namespace(organization)}/billingaccountaffiliations/{name}/cancel"
        body = {"spec": {"reason": "the soak cancels it"}}
        # refused where another client has cancelled it, or a newer plan
        self.write("disaffiliate", people.admin(organization), path, body, organization=organization, name=name)

    def open_project(self, organization: str) -> None:
        name = f"p-{self._world.number()}"
        spec = {"organizationRef": {"name": organization}, "contactEmailAddresses": [people.address(name)]}
        manifest = _manifest("Project", name, spec, "resources.milo.io/v1alpha1")
        said = {"organization": organization, "name": name}
        person = people.admin(organization)
        if self.write("project", person, f"{RESOURCES}/projects", manifest, **said).is_acknowledged:
            self._world.add_project(organization, name)

    def bind(self, organization: str, project: str, account: str) -> None:
        name = f"b-{self._world.number()}"
        spec = {"projectRef": {"name": project}, "billingAccountRef": {"name": account}}
        manifest = _manifest("BillingAccountBinding", name, spec)
        path = f"{namespace(organization)}/billingaccountbindings"
        said = {"organization": organization, "name": name, "project": project, "account": account}
        answer = self.write("bind", people.admin(organization), path, manifest, **said)
        if answer.is_acknowledged:
            self._world.bound(organization, project, account)

    def suspend(self, organization: str, account: Account) -> None:
        token = f"suspension-{uuid.uuid4()}"
        body = {"spec": {"reasonCode": "ManualReview", "message": token}}
        path = f"{namespace(organization)}/billingaccounts/{account.name}/suspend"
        said = {"organization": organization, "account": account.name, "token": token}
        if self.write("suspend", people.OPERATOR, path, body, **said).is_acknowledged:
            account.phase = "Suspended"

    def close_month(self, organization: str, account: Account) -> None:
        """Close the next month of an account. All have ended before the soak, and so before the account had usage."""
        years, month = divmod(account.closed_months, 12)
        token = str(uuid.uuid4())
        body = {"spec": {"month": f"{FIRST_YEAR + years}-{month + 1:02}", "reason": token}}
        path = f"{namespace(organization)}/billingaccounts/{account.name}/closeusage"
        said = {"organization": organization, "account": account.name, "token": token}
        # refused where another client has closed it
        if self.write("month", people.OPERATOR, path, body, **said).status:
            account.closed_months += 1

    def resolve(self, organization: str, account: Account) -> bool:
        """Resolve an open suspension; return False where there is none."""
        path = f"{namespace(organization)}/billingaccounts/{account.name}"
        items = self.read(people.OPERATOR, f"{path}/suspensions").get("items", [])
        opened = [item["uid"] for item in items if "resolvedAt" not in item]
        if not opened:
            return False
        token = str(uuid.uuid4())
        body = {"spec": {"suspension": opened[0], "evidence": {"reviewer": "reviewer", "note": token}}}
        said = {"organization": organization, "account": account.name, "suspension": opened[0], "token": token}
        self.write("resolve", people.OPERATOR, f"{path}/resolvesuspension", body, **said)
        return True

    def plan(self, organization: str, projects: list[str], account: str, seconds: float) -> None:
        """Plan that an account pays for projects, so many seconds from now; 0 is at once."""
        name = f"m-{self._world.number()}"
        spec = {"projects": projects, "toAccountRef": {"name": account}, "reason": "the soak plans it"}
        if seconds:
            spec["effectiveAt"] = _instant(time.time() + seconds)
        manifest = _manifest("PayerChange", name, spec)
        said = {"organization": organization, "name": name, "projects": projects, "account": account}
        path = f"{namespace(organization)}/payerchanges"
        if self.write("plan", people.admin(organization), path, manifest, **said).is_acknowledged:
            self._world.add_plan(organization, name, time.time() + seconds)

    def cancel(self, organization: str, plan: str) -> None:
        path = f"{namespace(organization)}/payerchanges/{plan}/cancel"
        said = {"organization": organization, "name": plan}
        # refused once it has ended
        self.write("cancel", people.admin(organization), path, {"spec": {"reason": "the soak cancels it"}}, **said)
        self._world.forget_plan(organization, plan)

    def lock(self, organization: str, project: str) -> None:
        if self._lock("lock", organization, project).is_acknowledged:
            self._world.lock(organization, project)

    def unlock(self, organization: str, project: str) -> None:
        self._lock("unlock", organization, project)
        self._world.unlock(organization, project)

    def _lock(self, action: str, organization: str, project: str) -> Answer:
        token = str(uuid.uuid4())
        said = {"organization": organization, "project": project, "token": token}
        path = f"{RESOURCES}/projects/{project}/{action}payer"
        return self.write(action, people.admin(organization), path, {"spec": {"reason": token}}, **said)

    def correct(self, organization: str, account: Account, project: str, ended: bool, person: str) -> None:
        """Request that an account should have paid for a span of a project's past, or from an instant on for good."""
        created, now = self._world.created_at(organization, project), time.time()
        # from the first half to the second, so that most have usage
        since, until = random.uniform(created, (created + now) / 2), random.uniform((created + now) / 2, now)
        proposal = {"project": project, "since": _instant(since)} | ({"until": _instant(until)} if ended else {})
        self.request(organization, account, "CorrectPayer", person, proposal)

    def request(
        self, organization: str, account: Account, action: str, person: str, proposal: dict[str, str] | None = None
    ) -> None:
        name = f"r-{self._world.number()}"
        spec: dict[str, Any] = {"billingAccountRef": {"name": account.name}, "action": action}
        spec |= {"justification": "the soak asks for it"} | ({"proposal": proposal} if proposal else {})
        manifest = _manifest("ApprovalRequest", name, spec)
        path = f"{namespace(organization)}/approvalrequests"
        said = {"organization": organization, "name": name, "account": account.name, "effect": action}
        said |= proposal or {}
        if self.write("request", person, path, manifest, **said).is_acknowledged:
            account.request = name

    def approve(self, organization: str, account: Account, person: str) -> None:
        if not (name := account.request):
            # another client has settled it since
            return
        path = f"{namespace(organization)}/approvalrequests/{name}"
        request = self.read(person, path)
        body = {"spec": {"reviewedHash": request.get("status", {}).get("reviewedHash", "")}}
        said = {"organization": organization, "name": name, "account": account.name}
        said["effect"] = request.get("spec", {}).get("action", "")
        answer = self.write("approve", person, f"{path}/approve", body, **said)
        if answer.is_acknowledged:
            account.request = ""
            phases = {"Close": "Closed", "Reopen": "Ready", "Reactivate": "Ready"}
            account.phase = phases.get(said["effect"], account.phase)
        elif answer.status in (409, 422) and request.get("status", {}).get("phase") == "Pending":
            self._settle(path, request, organization, account, answer.status)
        elif request.get("status", {}).get("phase", "Pending") != "Pending":
            account.request = ""

    def _settle(self, path: str, request: dict[str, Any], organization: str, account: Account, status: int) -> None:
        """Have the owner renew a request whose account has changed, and withdraw one that is no longer possible."""
        owner = request["status"]["requester"].removeprefix("user:")
        said = {"organization": organization, "name": request["metadata"]["name"]}
        if status == 409:
            self.write("renew", owner, f"{path}/renew", {}, **said)
            return
        body = {"spec": {"comment": "no longer possible"}}
        if self.write("withdraw", owner, f"{path}/withdraw", body, **said).is_acknowledged:
            account.request = ""

    def archive(self, organization: str, project: str) -> None:
        path = f"{RESOURCES}/projects/{project}/archive"
        said = {"organization": organization, "name": project}
        if self.write("archive", people.admin(organization), path, {}, **said).is_acknowledged:
            self._world.forget_project(organization, project)

    def report_usage(self, project: str) -> None:
        events = [_event(project) for _ in range(EVENTS)]
        said = {"events": [[event["id"], project, event["data"]["quantity"], event["time"]] for event in events]}
        self.write("usage", people.REPORTER, USAGE, events, **said)

    def refresh(self, organization: str, account: Account) -> None:
        """Read how far the account is."""
        path = f"{namespace(organization)}/billingaccounts/{account.name}"
        account.phase = self.read(people.OPERATOR, path).get("status", {}).get("phase", account.phase)


def _manifest(kind: str, name: str, spec: dict[str, Any], version: str = API_VERSION) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _event(project: str) -> dict[str, Any]:
    quantity = f"{random.randint(1, 1000)}.{random.randint(0, 999):03}"
    data = {"service": "compute", "meter": "cpu-time", "quantity": quantity, "unit": "s"}
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "//soak.example/meter",
        "type": "io.milo.usage",
        "time": _instant(time.time()),
        "subject": f"projects/{project}",
        "data": data,
    }


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    """Return what the checker compares with the database."""
    kept: dict[str, Any] = {name: body[name] for name in ("accepted", "duplicates", "rejected") if name in body}
    metadata, status = body.get("metadata", {}), body.get("status", {})
    kept |= {name: metadata[name] for name in ("uid", "resourceVersion") if name in metadata}
    if established := status.get("billingResponsibility", {}).get("establishedAt"):
        kept["establishedAt"] = established
    return kept
