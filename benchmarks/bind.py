"""Binding a project to another account: the old binding is superseded, the new one made, both with history."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import orjson

from benchmarks.contest import WORKERS, Contestant, Request, hold
from benchmarks.data import ORGANIZATION, PROJECTS
from benchmarks.report import Report
from benchmarks.servers import Server
from benchmarks.stage import Stage

MILO = f"/apis/billing.milo.io/v1alpha1/namespaces/{ORGANIZATION}/billingaccountbindings"
PEER = f"/organizations/{ORGANIZATION}/billingaccountbindings/"
COLUMNS = (
    "id, uid, name, labels, annotations, managed_fields, generation, created_at, project_id, account_id,"
    " organization_id, supersedes_id, phase, established_at, ended_at, end_reason"
)
FIND = (
    "SELECT project.id, project.organization_id, active.id, account.id FROM projects_project AS project"
    " JOIN billing_billingaccountbinding AS active ON active.project_id = project.id AND active.phase = 'Active'"
    " JOIN billing_billingaccount AS account ON account.organization_id = project.organization_id"
    " WHERE project.name = %s AND account.name = %s AND account.phase = 'Ready' FOR NO KEY UPDATE OF project"
)
END = (
    "UPDATE billing_billingaccountbinding SET phase = 'Superseded', ended_at = now(), end_reason = 'Superseded'"
    " WHERE id = %s"
)
BEGIN = (
    "INSERT INTO billing_billingaccountbinding (uid, name, labels, annotations, managed_fields, generation, created_at,"
    " project_id, account_id, organization_id, supersedes_id, phase, established_at, ended_at, end_reason)"
    " VALUES (gen_random_uuid(), %s, '{}', '{}', '[]', 1, now(), %s, %s, %s, %s, 'Active', now(), NULL, '')"
    " RETURNING id"
)
REMEMBER = (
    "INSERT INTO billing_historicalbillingaccountbinding (history_date, history_change_reason, history_type,"
    f" history_user_id, history_request_id, {COLUMNS}) SELECT now(), %s, %s, 'user:acme-admin', '', {COLUMNS}"
    " FROM billing_billingaccountbinding WHERE id = %s"
)


class Rebinds:
    """Which rebind comes next. Each worker has projects of its own, and each project two accounts that take turns."""

    def __init__(self) -> None:
        self._numbers = count()
        self._turns = [0] * PROJECTS
        self._projects = [count(worker, WORKERS) for worker in range(WORKERS)]

    def next(self, worker: int) -> tuple[str, str, str]:
        """Names of a new binding, of its project, and of an account that does not pay for it yet."""
        project = next(self._projects[worker]) % PROJECTS
        self._turns[project] += 1
        return f"b-{next(self._numbers)}", f"project-{project}", f"account-{2 * project + self._turns[project] % 2}"


# one for all benchmarks of a run, since they bind the same projects
_rebinds = Rebinds()


def run(stage: Stage) -> Report:
    contestants = [
        over_http(stage),
        _over_http("peer", stage.peer, PEER, _flat),
        Contestant("raw SQL", lambda worker: _raw(stage, worker), queries=5),
    ]
    return Report("Bind a project to another account", hold(contestants, stage.rounds, stage.seconds))


def over_http(stage: Stage) -> Contestant:
    """Bind through Milo's API."""
    return _over_http("milo", stage.milo, MILO, _manifest)


def _manifest(name: str, project: str, account: str) -> dict[str, Any]:
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "BillingAccountBinding",
        "metadata": {"name": name},
        "spec": {"projectRef": {"name": project}, "billingAccountRef": {"name": account}},
    }


def _flat(name: str, project: str, account: str) -> dict[str, Any]:
    return {"name": name, "project": project, "account": account}


def _over_http(name: str, server: Server, path: str, body: Callable[[str, str, str], dict[str, Any]]) -> Contestant:
    @contextmanager
    def connect(worker: int) -> Iterator[Request]:
        with server.client() as client:
            yield lambda: client.post(path, orjson.dumps(body(*_rebinds.next(worker))))

    with server.client() as client:
        queries = client.queries_of(path, orjson.dumps(body(*_rebinds.next(0))))
    return Contestant(name, connect, server.cpu_seconds, queries)


@contextmanager
def _raw(stage: Stage, worker: int) -> Iterator[Request]:
    with stage.database() as connection:

        def rebind() -> None:
            name, project, account = _rebinds.next(worker)
            with connection.transaction():
                project_id, organization_id, active_id, account_id = _one(connection.execute(FIND, [project, account]))
                connection.execute(END, [active_id])
                connection.execute(REMEMBER, ["superseded", "~", active_id])
                made = _one(connection.execute(BEGIN, [name, project_id, account_id, organization_id, active_id]))
                connection.execute(REMEMBER, ["bound", "+", *made])

        yield rebind


def _one(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row
    return row
