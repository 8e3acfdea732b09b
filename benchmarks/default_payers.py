"""Creating a project: bound to the default account of its organization in the same transaction, and unbound."""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import orjson

from benchmarks.contest import WORKERS, Contestant, Request, hold, measure
from benchmarks.data import PLATFORM, a_ready_account
from benchmarks.report import Report
from benchmarks.stage import Stage
from billing.services.default_accounts import set_default
from projects.models import Organization
from projects.services.organizations import OrganizationSpec, create_organization

PATH = "/apis/resources.milo.io/v1alpha1/projects"
_numbers = count()


def run(stage: Stage) -> Report:
    spec = OrganizationSpec("Acme Corporation")
    bound, unbound = (create_organization(f"acme-{name}", spec, actor=PLATFORM) for name in ("bound", "unbound"))
    set_default(bound.pk, spec, a_ready_account(bound, "payer").name, actor=PLATFORM)
    contestants = [_creating(stage, "bound", bound), _creating(stage, "unbound", unbound)]
    figures = hold(contestants, stage.rounds, stage.seconds)
    # those that several clients create at once wait for one another, since they have one payer
    alone = [[measure(each, stage.seconds, 1)[0] for each in contestants] for _round in range(stage.rounds)]
    rows = [each.row(figures[1]) for each in figures]
    facts = {
        f"a bound project over an unbound one, by {WORKERS} clients": round(1 / rows[0]["ratio to peer"], 2),
        "by 1 client": round(statistics.median(without / with_payer for with_payer, without in alone), 2),
        "by processor time of the server": round(rows[0]["server CPU ms"] / rows[1]["server CPU ms"], 2),
    }
    return Report("Create a project with a default payer", figures, facts)


def _creating(stage: Stage, name: str, organization: Organization) -> Contestant:
    def body() -> bytes:
        manifest = {
            "apiVersion": "resources.milo.io/v1alpha1",
            "kind": "Project",
            "metadata": {"name": f"{name}-{next(_numbers)}"},
            "spec": {"organizationRef": {"name": organization.name}, "displayName": "A project"},
        }
        return orjson.dumps(manifest)

    @contextmanager
    def connect(worker: int) -> Iterator[Request]:
        with stage.milo.client(stage.data.operator) as client:
            yield lambda: client.post(PATH, body())

    with stage.milo.client(stage.data.operator) as client:
        # the payer of the first project is compiled and planned for; the second one counts
        client.post(PATH, body())
        queries = client.queries_of(PATH, body())
    return Contestant(name, connect, stage.milo.cpu_seconds, queries)
