"""Reads that Milo, the peer and raw SQL answer alike."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.contest import Contestant, Request
from benchmarks.data import ORGANIZATION
from benchmarks.servers import Server
from benchmarks.stage import Stage

MILO = f"/apis/billing.milo.io/v1alpha1/namespaces/{ORGANIZATION}/billingaccounts"
PEER = f"/organizations/{ORGANIZATION}/billingaccounts/"
ACCOUNTS = (
    "SELECT account.*, organization.name, (SELECT count(*) FROM billing_billingaccountbinding AS binding"
    " WHERE binding.account_id = account.id AND binding.phase = 'Active') FROM billing_billingaccount AS account"
    " JOIN projects_organization AS organization ON organization.id = account.organization_id"
    f" WHERE organization.name = '{ORGANIZATION}'"
)


def contestants(stage: Stage, milo: str, peer: str, sql: str) -> list[Contestant]:
    """GET of the path `milo` or `peer`, or the query `sql`."""
    return [
        _over_http("milo", stage.milo, milo),
        _over_http("peer", stage.peer, peer),
        Contestant("raw SQL", lambda worker: _raw(stage, sql), queries=1),
    ]


def _over_http(name: str, server: Server, path: str) -> Contestant:
    @contextmanager
    def connect(worker: int) -> Iterator[Request]:
        with server.client() as client:
            yield lambda: client.get(path)

    with server.client() as client:
        return Contestant(name, connect, server.cpu_seconds, client.queries_of(path))


@contextmanager
def _raw(stage: Stage, sql: str) -> Iterator[Request]:
    with stage.database() as connection:
        yield lambda: connection.execute(sql).fetchall()
