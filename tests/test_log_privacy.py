"""The log of API, staff site and tasks has neither bodies nor secrets nor personal data, whatever the outcome.

Every text that a person or a client chooses is planted, sent through every door, and sought in the whole log.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from django.contrib.auth.models import User
from django.test import Client

from billing import tasks
from billing.models import BillingAccount, Notice
from milo.admin.site import StaffSite
from milo.celery import app
from milo.identity import passwords
from milo.kube.views import KubeView
from projects.models import Organization
from tests.acts.test_notices import Mailbox, free_port
from tests.admin.browser import browser, submit
from tests.api.client import ACCOUNTS, BILLING, PROJECTS, Api
from tests.api.examples import a_project, an_account
from tests.support import make

assert app, "with it, tasks have ids"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("json_lines")]

# every planted text has this, in this or another case
MARK = "xyzplant"
NAME, MAIL, LOCAL, WORD = f"Jane {MARK}", f"jane.{MARK}@acme-corp.example", f"o'{MARK}@acme-corp.example", f"{MARK}word"
US = f"{ACCOUNTS}/us"
SECRET = f"milo_{MARK}"


def breaks(*_arguments: Any, **_options: Any) -> NoReturn:
    value = {"name": NAME}
    raise ValueError(f"invalid literal for int() with base 10: {value['name']!r}") from KeyError(MAIL)


class Log:
    """The lines written since the last look."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.lines: list[dict[str, Any]] = []

    def look(self, what: str) -> list[dict[str, Any]]:
        """Return the new lines, which have nothing that was planted."""
        written = self._capsys.readouterr().err
        assert MARK not in written.lower(), f"{what}: {written}"
        lines = list(map(json.loads, written.splitlines()))
        self.lines += lines
        return lines

    def request(self, what: str, status: int) -> dict[str, Any]:
        """Return the one line of a request, which was answered with this status."""
        [line] = [line for line in self.look(what) if line["event"] == "request"]
        assert line["status"] == status, (what, line)
        return line


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


@pytest.fixture
def operator(organization: Organization) -> User:
    """Somebody whose name, address and user name are planted."""
    return make.a_person(
        MAIL,
        email=MAIL,
        first_name=NAME,
        last_name=MARK,
        is_staff=True,
        is_superuser=True,
        groups=("finance-operator", "usage-reporter"),
        roles={organization: "billing-admin"},
    )


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    server = Controller(mailbox := Mailbox(), hostname="127.0.0.1", port=settings.EMAIL_PORT)
    server.start()
    yield mailbox
    server.stop()


def personal(**spec: Any) -> dict[str, Any]:
    given = {"displayName": NAME, "invoiceEmailAddresses": [MAIL, LOCAL]}
    account = an_account("us", **given | spec)
    account["metadata"]["annotations"] = {"example.org/contact": f"{NAME} {MAIL}"}
    return account


def test_requests_of_the_api(operator: User, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api.of(operator)
    headers = {"User_Agent": f"{MARK}/1", "Cookie": f"sessionid={MARK}", "X_Forwarded_For": MARK, "Referer": MARK}
    log.look("the log-in")
    calls: list[tuple[str, int, Callable[[], Any]]] = [
        ("created", 201, lambda: api.post(ACCOUNTS, personal(), **headers)),
        ("created again", 409, lambda: api.post(ACCOUNTS, personal())),
        ("unknown field", 400, lambda: api.post(ACCOUNTS, personal(**{MARK: NAME}))),
        ("invalid value", 422, lambda: api.post(ACCOUNTS, personal(currencyCode=WORD, paymentTerms=NAME))),
        ("invalid name", 422, lambda: api.post(ACCOUNTS, {**personal(), "metadata": {"name": f"{MARK} {NAME}"}})),
        ("no JSON", 400, lambda: api.post(ACCOUNTS, f'{{"name": "{NAME}'.encode())),
        ("no YAML", 400, lambda: api.post(ACCOUNTS, f"a: &{MARK} [{NAME}", "application/yaml")),
        ("other media type", 415, lambda: api.post(ACCOUNTS, NAME, f"text/{MARK}")),
        ("read", 200, lambda: api.get(f"{US}?{MARK}={MAIL}&fieldSelector=")),
        ("label selector", 200, lambda: api.get(f"{ACCOUNTS}?labelSelector={WORD}%3D{WORD}")),
        ("field selector", 400, lambda: api.get(f"{ACCOUNTS}?fieldSelector={WORD}%3D{WORD}")),
        ("limit", 400, lambda: api.get(f"{ACCOUNTS}?limit={WORD}")),
        ("no such object", 404, lambda: api.get(f"{ACCOUNTS}/{MARK}")),
        ("no such namespace", 404, lambda: api.get(ACCOUNTS.replace("acme-corp", MARK))),
        ("no such route", 404, lambda: api.get(f"/apis/{MARK}/v1/x?{MARK}")),
        ("no such path", 404, lambda: api.get(f"/{MARK}/{MAIL}")),
        ("wrong token", 401, lambda: Api(SECRET).get(f"{ACCOUNTS}/{MARK}")),
        ("wrong scheme", 401, lambda: Api().get(US, authorization=f"Basic {MARK}")),
        ("impersonation", 403, lambda: api.get(US, Impersonate_User=MARK)),
        ("patched", 200, lambda: api.patch(US, {"spec": {"displayName": f"{NAME} 2"}})),
        ("patched wrongly", 422, lambda: api.patch(US, {"spec": {"invoiceEmailAddresses": [f"{MARK} at home"]}})),
        ("bad key", 400, lambda: api.post(ACCOUNTS, personal(), Idempotency_Key=f"{MARK}\u00e4" * 100)),
        ("project", 201, lambda: api.post(PROJECTS, a_project("p", displayName=NAME, contactEmailAddresses=[MAIL]))),
        (
            "suspended",
            200,
            lambda: api.post(f"{US}/suspend", {"spec": {"reasonCode": "ManualReview", "message": f"{NAME} {MAIL}"}}),
        ),
        ("suspended wrongly", 422, lambda: api.post(f"{US}/suspend", {"spec": {"reasonCode": WORD, "message": NAME}})),
        (
            "request",
            400,
            lambda: api.post(f"{BILLING}/namespaces/acme-corp/approvalrequests", {"spec": {"justification": NAME}}),
        ),
        ("usage", 422, lambda: api.post("/apis/usage.milo.io/v1alpha1/events", {**EVENT, "id": MARK})),
        ("review", 403, lambda: api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": SECRET}})),
    ]
    answered = {}
    for what, _status, call in calls:
        call()
        [line] = [line for line in log.look(what) if line["event"] == "request"]
        answered[what] = status = line["status"]
        assert line["outcome"] == ("success" if status < 400 else "refused")
        assert ("reason" in line) is (status >= 400 and what != "no such path"), line
    assert answered == {what: status for what, status, _call in calls}
    for name, outcome in (("manifest", 500), ("body", 500)):
        with monkeypatch.context() as patched:
            patched.setattr(KubeView, name, breaks)
            api.get(US) if name == "manifest" else api.post(ACCOUNTS, personal())
        assert log.request(name, outcome)["outcome"] == "failed"
        assert "ValueError: invalid literal for int() with base 10" in str(log.lines[-2]["exception"])
    named = [line for line in log.lines if line.get("action") == "suspend"]
    assert {line["organization"] for line in named} == {"acme-corp"}
    assert {line["name"] for line in named} == {"us"}
    assert {line.get("actor") for line in log.lines if line.get("status") in (200, 201)} == {f"user:{operator.pk}"}


EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": f"//{MARK}/{MAIL}",
    "type": WORD,
    "subject": MARK,
    "data": {"quantity": NAME},
}


def test_pages_of_the_staff_site(operator: User, log: Log, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox) -> None:
    account = make.a_ready_account(Organization.objects.get(), "us", display_name=NAME, invoice_email_addresses=[MAIL])
    stranger, staff = Client(raise_request_exception=False), browser(operator)
    staff.raise_request_exception = False
    key, token = passwords.request_link(operator, actor=make.PLATFORM)
    page = f"/admin/billing/billingaccount/{account.pk}"
    log.look("the log-in")
    calls: list[tuple[str, int, Callable[[], Any]]] = [
        ("log-in", 200, lambda: stranger.post("/admin/login/", {"username": MAIL, "password": f"{MARK} password"})),
        ("anonymous", 302, lambda: stranger.get(f"/admin/billing/billingaccount/?q={MARK}")),
        ("search", 200, lambda: staff.get("/admin/billing/billingaccount/", {"q": f"{NAME} {MAIL}"})),
        ("filter", 400, lambda: staff.get("/admin/billing/billingaccount/", {MARK: NAME})),
        ("page", 200, lambda: staff.get(f"{page}/change/")),
        ("no such row", 302, lambda: staff.get(f"/admin/billing/billingaccount/{MARK}/change/")),
        ("form", 200, lambda: staff.post(f"{page}/suspend/", {"reason_code": MARK, "message": NAME})),
        ("suspend", 302, lambda: submit(staff, f"{page}/suspend/", reason_code="ManualReview", message=MAIL)),
        ("link", 302, lambda: stranger.get(f"/admin/password-link/{key}/{token}/")),
        ("wrong link", 200, lambda: stranger.get(f"/admin/password-link/{key}/{MARK}/")),
        ("no such page", 404, lambda: staff.get(f"/admin/{MARK}/{MAIL}")),
        ("other host", 400, lambda: stranger.get("/admin/", headers={"host": f"{MARK}.example"})),
    ]
    answered = {}
    for what, _status, call in calls:
        call()
        lines = log.look(what)
        # a form is fetched before it is submitted
        answered[what] = [line for line in lines if line["event"] == "request"][-1]["status"]
        assert token not in json.dumps(lines), what
        assert operator.username not in json.dumps(lines)
    assert answered == {what: status for what, status, _call in calls}
    with monkeypatch.context() as patched:
        patched.setattr(StaffSite, "attention", breaks)
        staff.get(f"/admin/?{MARK}")
    assert log.request("broken", 500)["outcome"] == "failed"
    assert any(line.get("object_id") == str(account.pk) for line in log.lines)
    assert "admin:billing_billingaccount_change" in {line.get("action") for line in log.lines}


@pytest.mark.parametrize("server", ["accepts", "refuses", "is away"])
def test_tasks(server: str, operator: User, log: Log, mailbox: Mailbox, settings: Any) -> None:
    organization = Organization.objects.get()
    account = make.a_ready_account(organization, "us", display_name=NAME, invoice_email_addresses=[MAIL])
    make.a_binding(make.a_project(organization, "p", contact_email_addresses=[LOCAL]), account)
    make.in_phase(account, BillingAccount.Phase.SUSPENDED)
    log.look("before")
    if server == "refuses":
        mailbox.unknown |= set(Notice.objects.values_list("recipient", flat=True))
    elif server == "is away":
        settings.EMAIL_PORT = free_port()
    for task in (tasks.deliver_notices, tasks.announce_standing, tasks.assess_accounts, tasks.inspect_ledger):
        task.apply(throw=True)
    lines = log.look(server)
    runs = [line for line in lines if line["event"] == "task"]
    assert [line["outcome"] for line in runs] == ["success"] * 4
    assert runs[0]["action"] == "billing.tasks.deliver_notices"
    assert all(line["duration_seconds"] >= 0 and line["request_id"].startswith("task:") for line in runs)
    assert Notice.objects.exclude(last_error="").exists() is (server != "accepts")
    assert ("mail_server_away" in {line["event"] for line in lines}) is (server == "is away")


def test_a_task_that_fails(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.tasks.accounts.validate_waiting", breaks)
    tasks.validate_waiting_accounts.apply(throw=False)
    [line] = log.look("failed")
    assert (line["outcome"], line["level"]) == ("failed", "error")
    assert "KeyError: (left out)" in line["exception"]


def test_each_request_and_each_task_is_one_line(operator: User, log: Log) -> None:
    api = Api.of(operator)
    log.look("before")
    for _round in range(3):
        api.get(US)
        tasks.expire_requests.apply()
    for probe in ("/livez", "/readyz", "/healthz", "/metrics"):
        assert Client().get(probe).status_code == 200
    assert Counter(line["event"] for line in log.look("probes")) == {"request": 3, "task": 3}
    assert all(UUID(line["trace_id"]) for line in log.lines)
