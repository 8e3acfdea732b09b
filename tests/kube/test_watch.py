import asyncio
import time
from typing import Any

import pytest
from django.db import OperationalError

from billing.api.projects import BilledProjectKind
from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.notices.deliveries import announce_due
from milo.errors import Forbidden
from milo.kube.metadata import Metadata
from milo.kube.models import Counter
from milo.kube.store import changes, revisions
from milo.kube.store.revisions import Revision
from milo.kube.watch import broadcaster, streams
from milo.ledger import seals
from projects.models import Organization
from tests.kube.watching import a_watch, act, run, watching
from tests.support import make
from tests.support.affiliations import an_affiliation

pytestmark = pytest.mark.django_db(transaction=True)


def relabel(account: BillingAccount, **labels: str) -> None:
    revise(account.pk, AccountSpec.of(account), Metadata(labels=labels), actor=make.PLATFORM)


def test_a_watch_begins_with_the_present_state_and_goes_on_with_what_changes(organization: Organization) -> None:
    account = make.a_ready_account(organization, "us")

    async def scenario() -> None:
        async with watching(a_watch()) as client:
            assert await client.take(1) == [("ADDED", "us")]
            changed = await client.next_after(relabel, account, tier="gold")
            assert changed["type"] == "MODIFIED"
            assert changed["object"]["metadata"]["labels"] == {"tier": "gold"}
            await act(make.a_ready_account, organization, "eu")
            assert await client.take(1) == [("ADDED", "eu")]
            await client.nothing()

    run(scenario)


def test_a_change_is_told_within_a_second(organization: Organization) -> None:
    committed: list[float] = []

    def open_account() -> None:
        make.a_ready_account(organization, "us")
        committed.append(time.monotonic())

    async def scenario() -> float:
        async with watching(a_watch()) as client:
            await client.next_after(open_account)
            return time.monotonic() - committed[0]

    assert run(scenario) < 1


def test_a_watch_from_a_version_tells_all_that_came_after_it_and_nothing_before(organization: Organization) -> None:
    account = make.a_ready_account(organization, "us")
    seen = changes.current_version()
    relabel(account, tier="gold")
    make.a_ready_account(organization, "eu")

    async def scenario() -> None:
        async with watching(a_watch(after=seen)) as client:
            assert await client.take(2) == [("MODIFIED", "us"), ("ADDED", "eu")]
            await act(relabel, account, tier="silver")
            assert await client.take(1) == [("MODIFIED", "us")]
            await client.nothing()

    run(scenario)


def test_initial_events_end_with_an_annotated_bookmark_from_which_a_watch_can_go_on(organization: Organization) -> None:
    account = make.a_ready_account(organization, "us")

    async def scenario() -> None:
        async with watching(a_watch(after=changes_now, initial_events=True)) as client:
            assert await client.take(1) == [("ADDED", "us")]
            bookmark = await client.next()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["kind"] == "BillingAccount"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await act(relabel, account, tier="gold")
        async with watching(a_watch(after=int(bookmark["object"]["metadata"]["resourceVersion"]))) as client:
            assert await client.take(1) == [("MODIFIED", "us")]

    changes_now = changes.current_version()
    run(scenario)


@pytest.mark.parametrize("live", [True, False], ids=["live", "replayed"])
def test_entering_the_selection_is_added_and_leaving_it_is_deleted(organization: Organization, live: bool) -> None:
    account = make.a_ready_account(organization, "us")
    seen = changes.current_version()

    def come_and_go() -> None:
        relabel(account, tier="gold", step="1")
        relabel(account, tier="gold", step="2")
        relabel(account, tier="silver", step="3")
        relabel(account, tier="silver", step="4")
        relabel(account, tier="gold", step="5")

    async def scenario() -> None:
        if not live:
            await act(come_and_go)
        async with watching(a_watch(labels="tier=gold", after=seen)) as client:
            lines = [await (client.next_after(come_and_go) if live else client.next())]
            lines += [await client.next() for _ in range(3)]
        assert [(line["type"], line["object"]["metadata"]["labels"]["step"]) for line in lines] == [
            ("ADDED", "1"),
            ("MODIFIED", "2"),
            # the object as last selected, with the resourceVersion of the change that removed it
            ("DELETED", "2"),
            ("ADDED", "5"),
        ]
        versions = [int(line["object"]["metadata"]["resourceVersion"]) for line in lines]
        assert versions == [seen + 1, seen + 2, seen + 3, seen + 5]

    run(scenario)


@pytest.mark.parametrize("page", [1, 1000])
def test_initial_events_are_what_get_shows_also_where_a_revision_is_to_come(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """An account that another pays for follows the phase of that one in the background."""
    monkeypatch.setattr(streams, "PAGE", page)
    group, paid = (make.a_ready_account(organization, name) for name in ("group", "paid"))
    an_affiliation(paid, group)
    make.in_phase(group, "Suspended")

    async def standing() -> str:
        async with watching(a_watch(initial_events=True)) as client:
            lines = [await client.next() for _ in range(3)]
            objects = {line["object"]["metadata"].get("name"): line["object"] for line in lines}
            return str(objects["paid"]["status"]["conditions"][1]["status"])

    assert run(standing) == "True"
    announce_due()
    assert run(standing) == "False"


def test_the_renderer_learns_which_object_is_the_first(organization: Organization) -> None:
    make.a_ready_account(organization, "us")
    make.a_ready_account(organization, "eu")

    async def scenario() -> None:
        async with watching(a_watch(render=lambda m, first: {"name": m["metadata"]["name"], "first": first})) as client:
            assert (await client.next())["object"] == {"name": "us", "first": True}
            assert (await client.next())["object"] == {"name": "eu", "first": False}

    run(scenario)


def test_a_watch_tells_of_the_organizations_in_its_scope_only(organization: Organization) -> None:
    foreign = make.an_organization("other-corp")
    seen = changes.current_version()
    make.a_project(foreign, "theirs")
    make.a_project(organization, "ours")

    def both() -> None:
        make.a_project(foreign, "theirs-too")
        make.a_project(organization, "ours-too")

    async def scenario() -> None:
        projects = a_watch(BilledProjectKind(), after=seen, scope=lambda: frozenset({"acme-corp"}))
        async with watching(projects) as client:
            assert await client.take(1) == [("ADDED", "ours")]
            assert (await client.next_after(both))["object"]["metadata"]["name"] == "ours-too"
            await client.nothing()

    run(scenario)


def test_losing_a_right_ends_the_watch(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TICK_SECONDS", 0.1)
    scopes: list[Any] = [frozenset({"acme-corp", "other-corp"})]

    def scope() -> Any:
        if isinstance(scopes[0], Exception):
            raise scopes[0]
        return scopes[0]

    async def scenario(lost: Any) -> list[dict[str, Any]]:
        scopes[0] = frozenset({"acme-corp", "other-corp"})
        async with watching(a_watch(scope=scope)) as client:
            waiting = asyncio.ensure_future(client.rest())
            await asyncio.sleep(0.5)
            assert not waiting.done()
            scopes[0] = lost
            return await waiting

    [fewer] = run(lambda: scenario(frozenset({"acme-corp"})))
    assert (fewer["type"], fewer["object"]["reason"], fewer["object"]["code"]) == ("ERROR", "Expired", 410)
    [none] = run(lambda: scenario(Forbidden("no longer")))
    assert (none["type"], none["object"]["reason"], none["object"]["code"]) == ("ERROR", "Forbidden", 403)


def test_a_watch_from_before_the_compaction_or_from_the_future_is_told_to_list_again(
    organization: Organization,
) -> None:
    account = make.a_ready_account(organization, "us")
    relabel(account, tier="gold")
    seals.seal()
    Counter.objects.update(compacted=changes.current_version())
    oldest = changes.oldest_version()

    async def scenario(after: int) -> list[dict[str, Any]]:
        async with watching(a_watch(after=after, timeout_seconds=0.3)) as client:
            return await client.rest()

    assert run(lambda: scenario(oldest)) == []
    for after in (oldest - 1, oldest + 1):
        [error] = run(lambda after=after: scenario(after))  # type: ignore[misc]
        assert (error["type"], error["object"]["reason"], error["object"]["code"]) == ("ERROR", "Expired", 410)
        assert str(after) in error["object"]["message"]


def test_a_watch_ends_after_timeout_seconds_with_a_bookmark_beyond_what_other_kinds_did(
    organization: Organization,
) -> None:
    async def scenario() -> list[dict[str, Any]]:
        async with watching(a_watch(timeout_seconds=0.8, bookmarks=True)) as client:
            waiting = asyncio.ensure_future(client.rest())
            await asyncio.sleep(0.2)
            await act(make.a_project, organization)
            return await waiting

    begun = time.monotonic()
    [bookmark] = run(scenario)
    assert 0.7 < time.monotonic() - begun < 3
    assert bookmark["type"] == "BOOKMARK"
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) == changes.current_version()


def test_a_client_that_is_too_slow_is_ended_and_misses_nothing_when_it_comes_back(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster, "QUEUE_LIMIT", 3)
    account = make.a_ready_account(organization, "us")

    async def scenario() -> None:
        async with watching(a_watch()) as client, watching(a_watch()) as other:
            await client.take(1)
            await other.take(1)
            await asyncio.gather(client.next_after(relabel, account, step="1"), other.next())
            for step in "23456":
                await act(relabel, account, step=step)
                assert (await other.next())["object"]["metadata"]["labels"]["step"] == step
            got = await client.rest()
            assert [line["object"]["metadata"]["labels"]["step"] for line in got] == ["2", "3", "4"]
        async with watching(a_watch(after=int(got[-1]["object"]["metadata"]["resourceVersion"]))) as client:
            again = [await client.next() for _ in range(2)]
            assert [line["object"]["metadata"]["labels"]["step"] for line in again] == ["5", "6"]

    run(scenario)


def test_a_client_that_never_reads_again_is_cancelled(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster, "QUEUE_LIMIT", 1)
    monkeypatch.setattr(broadcaster, "GRACE_SECONDS", 0.1)
    account = make.a_ready_account(organization, "us")

    async def stall() -> None:
        async with watching(a_watch()) as client:
            await client.take(2)
            await asyncio.sleep(60)

    async def scenario() -> None:
        stalled = asyncio.create_task(stall())
        for step in "123":
            await asyncio.sleep(0.5)
            await act(relabel, account, step=step)
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(3):
                await stalled

    run(scenario)


def test_many_watchers_share_one_poller_that_stops_with_the_last_of_them(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls: list[int] = []
    read = revisions.read

    def counted(after: int) -> list[Revision]:
        polls.append(after)
        return read(after)

    monkeypatch.setattr(broadcaster, "read", counted)

    async def one() -> list[tuple[str, str]]:
        async with watching(a_watch(initial_events=True)) as client:
            # until all the others have begun
            return (await client.take(2, within=60))[1:]

    def watched() -> int:
        return sum(len(them) for each in broadcaster._feeds.values() for them in each._subscriptions.values())

    async def scenario() -> None:
        watchers = [asyncio.create_task(one()) for _ in range(50)]
        async with asyncio.timeout(30):
            while watched() < 50:
                await asyncio.sleep(0.05)
        assert len(broadcaster._feeds) == 1
        before = len(polls)
        await asyncio.sleep(1)
        assert 1 <= len(polls) - before <= 6
        await act(make.a_ready_account, organization, "us")
        assert await asyncio.gather(*watchers) == [[("ADDED", "us")]] * 50

    run(scenario)


def test_a_poll_that_fails_is_tried_again(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcaster, "RETRY_SECONDS", 0.1)
    read, failures = revisions.read, iter([OperationalError("away"), OperationalError("still away")])

    def unreliable(after: int) -> list[Revision]:
        if failure := next(failures, None):
            raise failure
        return read(after)

    monkeypatch.setattr(broadcaster, "read", unreliable)

    async def scenario() -> None:
        async with watching(a_watch()) as client:
            assert (await client.next_after(make.a_ready_account, organization, "us"))["type"] == "ADDED"

    run(scenario)
    assert next(failures, None) is None


def test_a_poller_that_dies_takes_its_watchers_along(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:

    def broken(after: int) -> list[Revision]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(broadcaster, "read", broken)

    async def scenario() -> None:
        async with watching(a_watch()) as client:
            assert await client.rest() == []

    run(scenario)


def test_what_the_poller_reads_while_a_watcher_replays_reaches_it_too(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, replay, acts = changes.current_version(), streams.Watch._replay, [make.a_ready_account]

    def slow_replay(self: streams.Watch, after: int, scope: Any) -> Any:
        result = replay(self, after, scope)
        if self.bookmarks and acts:
            acts.pop()(organization, "us")
            time.sleep(3 * broadcaster.POLL_SECONDS)
        return result

    monkeypatch.setattr(streams.Watch, "_replay", slow_replay)

    async def scenario() -> None:
        async with watching(a_watch(after=seen)) as early, watching(a_watch(after=seen, bookmarks=True)) as late:
            first = asyncio.ensure_future(early.take(1))
            await asyncio.sleep(0.3)
            assert await late.take(1) == [("ADDED", "us")]
            assert await first == [("ADDED", "us")]

    run(scenario)


@pytest.mark.parametrize("selector", ["", "tier=gold"])
def test_what_changes_while_the_present_state_is_read_is_neither_lost_nor_doubled(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, selector: str
) -> None:
    names = ("stays", "changes", "leaves", "returns")
    accounts = {name: make.a_ready_account(organization, name) for name in names}
    for account in accounts.values():
        relabel(account, tier="gold")
    entering = make.a_ready_account(organization, "enters")
    page, current = streams.Watch._page, changes.current_version
    acts_before_page = [
        lambda: relabel(accounts["changes"], tier="gold", step="1"),
        lambda: relabel(accounts["leaves"], tier="silver"),
        lambda: relabel(accounts["returns"], tier="silver"),
        lambda: relabel(entering, tier="gold"),
        lambda: relabel(make.a_ready_account(organization, "new"), tier="gold"),
    ]
    acts_after_page = [
        lambda: relabel(accounts["returns"], tier="gold"),
        lambda: relabel(accounts["changes"], tier="gold", step="2"),
        lambda: relabel(make.a_ready_account(organization, "newer"), tier="gold"),
    ]

    def racing_page(self: streams.Watch, after: int) -> Any:
        acts = acts_before_page if after == 0 else acts_after_page
        while acts:
            acts.pop(0)()
        return page(self, after)

    monkeypatch.setattr(streams.Watch, "_page", racing_page)

    async def scenario() -> list[dict[str, Any]]:
        async with watching(a_watch(labels=selector, timeout_seconds=1)) as client:
            return await client.rest()

    lines = run(scenario)
    known: dict[str, int] = {}
    for line in lines:
        metadata = line["object"]["metadata"]
        name, version = metadata["name"], int(metadata["resourceVersion"])
        assert (name in known) is (line["type"] != "ADDED"), line
        assert version > known.get(name, 0)
        known[name] = version
        if line["type"] == "DELETED":
            del known[name]
    rows: Any = a_watch(labels=selector).selection.apply(BillingAccount.objects.with_revision())
    assert known == dict(rows.values_list("name", "resource_version"))
    assert current() == max(known.values())
