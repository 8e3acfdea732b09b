"""One hot project, one hot tenant: how many requests run and wait, and that nobody else waits for them."""

import asyncio
import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import httpx
import orjson
import pytest
from django.conf import settings
from django.db import connection, transaction

from milo import fairness
from milo.errors import Busy
from milo.fairness import Admission, Flow, flows
from projects.models import Project
from tests.support import make
from tests.support.live import Live

INSIDE = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp"
CONTENDED = {"billingaccountbindings": "projectRef"}
OBJECT, TENANT, ALL = Flow("object", ("", "projects", "hot")), Flow("tenant", ("namespace", "acme-corp")), Flow("all")


def a_scope(path: str, method: str = "GET", **headers: str) -> dict[str, Any]:
    listed = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"path": path, "method": method, "headers": listed, "client": ("10.1.2.3", 4)}


def of(path: str, method: str = "GET", manifest: Any = None, **headers: str) -> list[Flow]:
    body = io.BytesIO(b"" if manifest is None else orjson.dumps(manifest))
    found = list(flows(a_scope(path, method, **headers), body, CONTENDED))
    assert body.tell() == 0
    return found


def test_a_change_is_of_the_object_that_it_names_or_to_which_it_refers() -> None:
    assert of(f"{INSIDE}/billingaccounts/us", "PATCH") == [
        Flow("object", ("acme-corp", "billingaccounts", "us")),
        Flow("writes", ("namespace", "acme-corp")),
        TENANT,
        ALL,
    ]
    refers = {"spec": {"projectRef": {"name": "website"}, "billingAccountRef": {"name": "us"}, "note": 1}}
    assert of(f"{INSIDE}/billingaccountbindings", "POST", refers)[:2] == [
        Flow("object", ("acme-corp", "projects", "website")),
        Flow("writes", ("namespace", "acme-corp")),
    ]
    assert of("/apis/resources.milo.io/v1alpha1/projects/hot/archive", "POST", {})[0] == OBJECT


def test_a_read_is_of_no_object_and_of_its_namespace_or_its_sender() -> None:
    assert of(f"{INSIDE}/billingaccounts/us") == [TENANT, ALL]
    first, second = of("/apis", authorization="Bearer 1"), of("/apis", authorization="Bearer 2")
    assert first != second
    assert "Bearer 1" not in str(first)
    assert of("/apis") == [Flow("tenant", ("address", "10.1.2.3")), ALL]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"spec": []}', b'{"spec": {"aRef": {"name": 1}}}', b"a: b"]
)
@pytest.mark.parametrize(
    "path",
    ["/", "//", "/api", "/apis//", "/apis/a/b/namespaces/", "/apis/a/b/billingaccountbindings", "/admin/x/1/change/"],
)
def test_any_path_and_body_has_flows(path: str, body: bytes) -> None:
    assert flows(a_scope(path, "POST"), io.BytesIO(body), CONTENDED)[-1] == ALL


def test_what_is_too_large_to_look_into_is_not_looked_into() -> None:
    manifest = {"spec": {"projectRef": {"name": "x" * fairness.BODY_LOOKED_AT}}}
    assert [flow.kind for flow in of(f"{INSIDE}/billingaccountbindings", "POST", manifest)] == [
        "writes",
        "tenant",
        "all",
    ]


async def hold(admission: Admission, stack: AsyncExitStack, *held: Flow) -> None:
    await stack.enter_async_context(admission.turn(held))


def test_a_flow_takes_its_part_of_the_threads_and_more_wait_in_the_order_in_which_they_came() -> None:
    async def run() -> list[int]:
        admission, order = Admission(8, 3), []
        async with AsyncExitStack() as held:
            for _ in range(2):
                await hold(admission, held, OBJECT, ALL)

            async def wait(number: int) -> None:
                async with admission.turn((OBJECT, ALL)):
                    order.append(number)
                    await asyncio.sleep(0)

            waiting = [asyncio.ensure_future(wait(number)) for number in range(3)]
            await asyncio.sleep(0.01)
            assert order == []
            with pytest.raises(Busy):
                await wait(3)
            # another object has its turn at once
            async with asyncio.timeout(1), admission.turn((Flow("object", ("other",)), ALL)):
                pass
        await asyncio.gather(*waiting)
        assert not admission._running
        assert not admission._queued
        return order

    assert asyncio.run(run()) == [0, 1, 2]


def test_who_waits_too_long_is_refused_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "WAIT_SECONDS", 0.05)

    async def run() -> None:
        admission = Admission(4, 3)
        async with AsyncExitStack() as held:
            await hold(admission, held, OBJECT)
            with pytest.raises(Busy):
                async with admission.turn((OBJECT,)):
                    raise AssertionError
        for _ in range(2):
            async with admission.turn((OBJECT,)):
                pass
        assert not admission._waiting

    asyncio.run(run())


def test_a_turn_that_comes_at_the_moment_of_the_timeout_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "WAIT_SECONDS", 0.02)

    async def run() -> None:
        admission, leave = Admission(4, 3), asyncio.Event()

        async def first() -> None:
            async with admission.turn((OBJECT,)):
                await leave.wait()

        async def second() -> None:
            async with admission.turn((OBJECT,)):
                pass

        tasks = [asyncio.ensure_future(first()), asyncio.ensure_future(second())]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leave.set()
        # the loop now finds the timeout due in the very round in which the first gives its turn back
        time.sleep(0.05)
        _none, refused = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(refused, Busy)
        assert not admission._running
        assert not admission._queued

    asyncio.run(run())


def test_turns_are_given_back_whoever_is_cancelled_when() -> None:
    async def run() -> None:
        admission = Admission(4, 50)

        async def request() -> None:
            async with admission.turn((OBJECT,)):
                await asyncio.sleep(0.001)

        for steps in range(12):
            tasks = [asyncio.ensure_future(request()) for _ in range(6)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert not admission._running
        assert not admission._queued

    asyncio.run(run())


def a_bind(number: int, project: str) -> dict[str, Any]:
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "BillingAccountBinding",
        "metadata": {"name": f"{project}-{number}"},
        "spec": {"projectRef": {"name": project}, "billingAccountRef": {"name": "us"}},
    }


def test_60_binds_of_one_locked_project_hold_up_nobody(live: Live) -> None:
    if connection.vendor == "sqlite":  # it locks no rows
        return
    binds = 60
    assert binds > settings.MILO_THREADS // 4 + settings.MILO_WAITING_REQUESTS
    organization = make.an_organization("acme-corp")
    hot, _cold = (make.a_project(organization, name) for name in ("hot", "cold"))
    make.a_ready_account(organization, "us")
    with live.client(make.a_person(roles={organization: "billing-admin"})) as client, ThreadPoolExecutor(binds) as pool:

        def bind(number: int, project: str = "hot") -> httpx.Response:
            return client.post(f"{INSIDE}/billingaccountbindings", json=a_bind(number, project))

        client._transport._pool._max_connections = binds + 4  # type: ignore[attr-defined]
        with transaction.atomic():
            Project.objects.select_for_update().get(pk=hot.pk)
            waiting = [pool.submit(bind, number) for number in range(binds)]
            until = time.monotonic() + 20
            while sum(each.done() for each in waiting) < binds - settings.MILO_THREADS // 4 - 50:
                assert time.monotonic() < until
                time.sleep(0.05)
            begun = time.monotonic()
            assert client.get("/livez").status_code == 200
            assert client.get(f"{INSIDE}/billingaccounts/us").status_code == 200
            assert bind(0, "cold").status_code == 201
            assert time.monotonic() - begun < 3
            shed = [each.result() for each in waiting if each.done()]
        answers = [each.result() for each in waiting]
    assert {answer.status_code for answer in shed} == {429}
    assert {answer.headers["Retry-After"] for answer in shed} == {"1"}
    assert shed[0].json()["details"]["retryAfterSeconds"] == 1
    assert sum(answer.status_code == 201 for answer in answers) >= 1
    assert max(answer.status_code for answer in answers) == 429
