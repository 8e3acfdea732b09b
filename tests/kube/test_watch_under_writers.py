import asyncio
import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from billing.api.kinds import BillingAccountBindingKind, BillingAccountKind
from billing.api.projects import BilledProjectKind
from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from milo.kube.kinds import Kind
from milo.kube.metadata import Metadata
from milo.kube.models import Change
from milo.kube.store import changes
from projects.models import Project
from tests.kube.watching import a_watch, run, watching
from tests.support import make
from tests.support.threads import at_once, patiently

WRITERS = 8
ROUNDS = 6


def revise_and_bind(writer: int, accounts: list[BillingAccount], project: Project) -> None:
    """Run one writer: move its own project from account to account, and relabel the shared accounts."""
    for number in range(ROUNDS):
        payer = accounts[(writer + number) % len(accounts)]
        patiently(partial(make.a_binding, project, payer, f"binding-{writer}-{number}"))
        shared = accounts[number % len(accounts)]
        labels = Metadata(labels={"writer": str(writer), "round": str(number)})
        patiently(partial(revise, shared.pk, AccountSpec.of(shared), labels, actor=make.PLATFORM))


@pytest.mark.django_db(transaction=True)
def test_watchers_of_8_writers_lose_nothing_double_nothing_and_see_the_order_of_commits() -> None:
    organization = make.an_organization("acme-corp")
    accounts = [make.a_ready_account(organization) for _ in range(3)]
    projects = [make.a_project(organization) for _ in range(WRITERS)]
    begun = changes.current_version()
    written = threading.Event()
    failures: list[Any] = []

    def write() -> None:
        calls: list[Callable[[], None]] = [
            partial(revise_and_bind, writer, accounts, project) for writer, project in enumerate(projects)
        ]
        failures.extend(result for result in at_once(calls) if result)
        written.set()

    async def follow(kind: Kind, after: int) -> list[tuple[str, int]]:
        """Return (type, version) of every event up to one second after the last write."""
        got: list[tuple[str, int]] = []
        async with watching(a_watch(kind, after=after)) as client:
            next_line = asyncio.ensure_future(client.next(within=60))
            while True:
                all_written = written.is_set()
                if (await asyncio.wait({next_line}, timeout=1))[0]:
                    line = next_line.result()
                    got.append((line["type"], int(line["object"]["metadata"]["resourceVersion"])))
                    next_line = asyncio.ensure_future(client.next(within=60))
                elif all_written:
                    next_line.cancel()
                    await asyncio.wait({next_line})
                    return got

    async def scenario() -> list[list[tuple[str, int]]]:
        writers = threading.Thread(target=write)
        kinds = (BillingAccountKind(), BillingAccountBindingKind(), BilledProjectKind())
        followers = [asyncio.create_task(follow(kind, begun)) for kind in kinds]
        await asyncio.sleep(0.3)
        writers.start()
        await asyncio.sleep(0.3)
        # a watcher that starts while others write
        followers.append(asyncio.create_task(follow(kinds[0], begun)))
        got = await asyncio.gather(*followers)
        writers.join()
        return got

    accounts_seen, bindings_seen, projects_seen, late = run(scenario)
    assert failures == []
    logged = Change.objects.filter(resource_version__gt=begun).order_by("resource_version")
    for seen, kind in [
        (accounts_seen, BillingAccountKind()),
        (late, BillingAccountKind()),
        (bindings_seen, BillingAccountBindingKind()),
        (projects_seen, BilledProjectKind()),
    ]:
        assert seen == list(logged.filter(resource=kind.resource).values_list("type", "resource_version"))
    assert sum(kind == "ADDED" for kind, _version in bindings_seen) == WRITERS * ROUNDS
    moments = list(logged.values_list("at", flat=True))
    assert all(earlier <= later for earlier, later in pairwise(moments))
