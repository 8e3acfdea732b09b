"""Watches of events: changes with a reason, of all kinds that the watcher may see."""

from collections.abc import Callable
from typing import Any

import pytest

from milo.kube.core import events
from milo.kube.core.event_watch import EventWatch
from milo.kube.core.events import EventShape, Readable
from milo.kube.kinds import all_kinds
from milo.kube.store import changes
from projects.models import Organization
from tests.kube.watching import Client, run, watching
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)
ALL: Readable = {kind.resource: None for kind in all_kinds()}


def a_watch(fields: str = "", namespace: str = "", to: Readable = ALL, **options: Any) -> EventWatch:
    return EventWatch(
        EventShape(),
        events.visible_changes(to),
        events.selection("", fields, namespace),
        lambda: to,
        lambda manifest, first: manifest,
        **options,
    )


async def told(client: Client, count: int) -> list[tuple[str, str]]:
    """Return (reason, object) of the next lines, each of which must be ADDED."""
    lines = [await client.next() for _ in range(count)]
    assert {line["type"] for line in lines} == {"ADDED"}
    return [(line["object"]["reason"], line["object"]["involvedObject"]["name"]) for line in lines]


def test_a_watch_of_events_tells_what_happened_once_and_then_what_happens_to_any_kind(
    organization: Organization,
) -> None:
    make.a_ready_account(organization, "us")

    async def scenario() -> None:
        async with watching(a_watch()) as client:
            assert await told(client, 2) == [("OrganizationCreated", "acme-corp"), ("BillingAccountReady", "us")]
            line = await client.next_after(make.a_project, organization, "web")
            assert line["object"]["involvedObject"]["kind"] == "Project"
            await client.nothing()

    run(scenario)


@pytest.mark.parametrize("live", [True, False], ids=["live", "replayed"])
def test_a_selector_and_a_namespace_choose_among_them(organization: Organization, live: bool) -> None:
    seen, other = changes.current_version(), make.an_organization("other-corp")

    def happen() -> None:
        for each in (other, organization):
            us = make.a_ready_account(each, "us")
            make.a_binding(make.a_project(each), us, "payer")

    async def scenario(choose: Callable[..., EventWatch]) -> None:
        async with watching(choose(after=seen)) as client:
            line = await client.next_after(happen) if live else await client.next()
            assert line["object"]["metadata"]["namespace"] == "acme-corp"
            assert (line["object"]["reason"], line["object"]["type"]) == ("SuccessfulBinding", "Normal")
            await client.nothing()

    if not live:
        happen()
    fields = "involvedObject.name=payer,involvedObject.kind=BillingAccountBinding,type=Normal,reason!=Else"
    run(lambda: scenario(lambda **options: a_watch(fields, "acme-corp", **options)))


def test_what_the_watcher_may_not_read_is_not_told(organization: Organization) -> None:
    ours: Readable = {"billingaccounts.billing.milo.io": frozenset({"acme-corp"})}
    other = make.an_organization("other-corp")
    make.a_ready_account(other, "theirs")
    make.a_ready_account(organization, "us")

    async def scenario() -> None:
        async with watching(a_watch(to=ours)) as client:
            assert await told(client, 1) == [("BillingAccountReady", "us")]

            def happen() -> None:
                make.a_ready_account(other, "theirs-too")
                make.a_project(organization)
                make.a_ready_account(organization, "eu")

            line = await client.next_after(happen)
            assert line["object"]["involvedObject"]["name"] == "eu"
            await client.nothing()

    run(scenario)
