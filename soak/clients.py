"""The clients: threads that open, bind, suspend, approve, close and report, and log what was acknowledged."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
FEWEST_PROJECTS = 5
"""An organization that has so few archives none."""
EVENTS = 10
"""Usage events of a batch."""
RIVALRY, RIVALRY_OF_CLOSURES = 0.1, 0.5
"""How many binds, and how many closures, have a rival."""
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
        return self._client.get(path, self._tokens[person]).body

    def open_organization(self, organization: str) -> None:
        manifest = _manifest("Organization", organization, {"displayName": organization}, "resources.milo.io/v1alpha1")
        path = f"{RESOURCES}/organizations"
        self.write("organization", people.OPERATOR, path, manifest, organization=organization)
        admin = people.admin(organization)
        spec = {"user": admin, "role": "billing-admin", "reason": "pays"}
        path = f"{path}/{organization}/grantrole"
        self.write("role", people.OPERATOR, path, {"spec": spec}, organization=organization, user=admin)

    def open_account(self, organization: str) -> None:
        name = f"a-{self._world.number()}"
        spec = {
            "currencyCode": "USD",
            "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
            "paymentProfile": {"creditCard": {"cardReference": "cc-12345"}},
            "invoiceEmailAddresses": [people.address(name)],
        }
        manifest = _manifest("BillingAccount", name, spec)
        path = f"{namespace(organization)}/billingaccounts"
        said = {"organization": organization, "name": name}
        if self.write("open", people.admin(organization), path, manifest, **said).is_acknowledged:
            self._world.add_account(organization, name)

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

    def request(self, organization: str, account: Account, action: str, person: str) -> None:
        name = f"r-{self._world.number()}"
        spec = {"billingAccountRef": {"name": account.name}, "action": action, "justification": "the soak asks for it"}
        manifest = _manifest("ApprovalRequest", name, spec)
        path = f"{namespace(organization)}/approvalrequests"
        said = {"organization": organization, "name": name, "account": account.name, "effect": action}
        if self.write("request", person, path, manifest, **said).is_acknowledged:
            account.request = name

    def approve(self, organization: str, account: Account, person: str) -> None:
        name = account.request
        path = f"{namespace(organization)}/approvalrequests/{name}"
        request = self.read(person, path)
        body = {"spec": {"reviewedHash": request.get("status", {}).get("reviewedHash", "")}}
        said = {"organization": organization, "name": name, "account": account.name}
        said["effect"] = request.get("spec", {}).get("action", "")
        answer = self.write("approve", person, f"{path}/approve", body, **said)
        if answer.is_acknowledged:
            account.request = ""
            account.phase = {"Close": "Closed"}.get(said["effect"], "Ready")
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


class Worker(threading.Thread):
    """One client, until the soak stops it. Now and then its `rival` does at the same time what must not go together."""

    def __init__(self, actions: Actions, rival: Actions, world: World, stopped: Callable[[], bool], seed: int) -> None:
        super().__init__(daemon=True, name=f"client-{seed}")
        self._actions, self._rival, self._world, self._stopped = actions, rival, world, stopped
        self._random = random.Random(seed)

    def run(self) -> None:
        while not self._stopped():
            self.act()

    def act(self) -> None:
        """Do one thing that a client does."""
        organization = self._random.choice(list(self._world.organizations))
        weights = {
            self._bind: 46,
            self._report_usage: 14,
            self._advance: 32,
            self._actions.open_account: 1,
            self._actions.open_project: 3,
            self._archive: 3,
        }
        (action,) = self._random.choices(list(weights), list(weights.values()))
        action(organization)

    def _bind(self, organization: str) -> None:
        """Bind a project to another account; one in ten has a rival, who binds it to a third."""
        if not (chosen := self._world.project(self._random, organization)):
            return
        project, payer = chosen
        if not (account := self._world.ready_account(self._random, organization, payer)):
            return
        other = self._world.ready_account(self._random, organization, account.name)
        if other and self._random.random() < RIVALRY:
            with self._at_once(self._rival.bind, organization, project, other.name):
                self._actions.bind(organization, project, account.name)
        else:
            self._actions.bind(organization, project, account.name)

    def _approve(self, organization: str, account: Account, decider: str) -> None:
        """Approve the pending request of an account; some have a rival, who binds a project to it at once."""
        chosen = self._world.project(self._random, organization)
        if chosen and account.phase == "Ready" and self._random.random() < RIVALRY_OF_CLOSURES:
            with self._at_once(self._rival.bind, organization, chosen[0], account.name):
                self._actions.approve(organization, account, decider)
        else:
            self._actions.approve(organization, account, decider)

    @contextmanager
    def _at_once(self, act: Callable[[str, str, str], None], *arguments: str) -> Iterator[None]:
        rival = threading.Thread(target=act, args=arguments, daemon=True)
        rival.start()
        try:
            yield
        finally:
            rival.join()

    def _report_usage(self, organization: str) -> None:
        if chosen := self._world.project(self._random, organization):
            self._actions.report_usage(chosen[0])

    def _archive(self, organization: str) -> None:
        if len(self._world.organizations[organization].projects) > FEWEST_PROJECTS and (
            chosen := self._world.project(self._random, organization)
        ):
            self._actions.archive(organization, chosen[0])

    def _advance(self, organization: str) -> None:
        """Take an account one step further: suspend, resolve, request, approve, close, reopen."""
        account = self._world.account(self._random, organization)
        if account is None:
            return
        if self._random.random() < 0.1:
            self._actions.refresh(organization, account)
        requester = people.BOTH if self._random.random() < 0.2 else people.admin(organization)
        if account.request:
            # one in ten tries what must be refused: to approve the request of oneself
            decider = people.BOTH if self._random.random() < 0.1 else self._random.choice(people.approvers())
            self._approve(organization, account, decider)
        elif account.phase == "Suspended":
            if not self._actions.resolve(organization, account):
                self._actions.request(organization, account, "Reactivate", requester)
        elif account.phase == "Closed":
            self._actions.request(organization, account, "Reopen", requester)
        elif account.phase == "Ready" and not self._world.is_paying(organization, account.name):
            self._actions.request(organization, account, "Close", requester)
        elif account.phase == "Ready" and self._random.random() < 0.5:
            self._actions.suspend(organization, account)


def open_everything(actions: Actions, world: World, accounts: int, projects: int) -> None:
    """Open the organizations, with so many accounts and projects each."""
    for organization in world.organizations:
        actions.open_organization(organization)
        for _ in range(accounts):
            actions.open_account(organization)
        for _ in range(projects):
            actions.open_project(organization)


def _manifest(kind: str, name: str, spec: dict[str, Any], version: str = API_VERSION) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _event(project: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")
    quantity = f"{random.randint(1, 1000)}.{random.randint(0, 999):03}"
    data = {"service": "compute", "meter": "cpu-time", "quantity": quantity, "unit": "s"}
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "//soak.example/meter",
        "type": "io.milo.usage",
        "time": at,
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
