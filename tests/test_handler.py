"""The ASGI handler that serves each request in one thread of a few."""

import time
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from milo.kube.watch import broadcaster
from tests.support import make
from tests.support.live import Live

ACCOUNTS = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts"


def test_more_requests_than_threads_are_all_answered(live: Live) -> None:
    organization = make.an_organization("acme-corp")
    make.a_ready_account(organization, "us")
    many = 3 * settings.MILO_THREADS
    with live.client(make.a_person(roles={organization: "billing-viewer"})) as client, ThreadPoolExecutor(many) as pool:
        statuses = [done.status_code for done in pool.map(client.get, [f"{ACCOUNTS}/us"] * many)]
    assert statuses == [200] * many


def test_no_request_inherits_the_language_of_another(live: Live) -> None:
    with live.client() as client:
        login = "/admin/login/"
        german = client.get(login, headers={"Accept-Language": "de"})
        plain = [client.get(login) for _ in range(2 * settings.MILO_THREADS)]
    assert german.headers["Content-Language"] == "de"
    assert {answer.headers["Content-Language"] for answer in plain} == {"en"}


def test_a_watch_ends_when_its_client_leaves_and_holds_no_thread(live: Live) -> None:
    organization = make.an_organization("acme-corp")
    viewer = make.a_person(roles={organization: "billing-viewer"})
    with live.client(viewer) as client, ThreadPoolExecutor(1) as pool:
        watching = []
        for _ in range(settings.MILO_THREADS + 1):
            request = client.build_request("GET", ACCOUNTS, params={"watch": "true"})
            watching.append(client.send(request, stream=True))
        assert pool.submit(client.get, ACCOUNTS).result(timeout=10).status_code == 200
        for answer in watching:
            answer.close()
    end = time.monotonic() + 10
    while broadcaster._feeds and time.monotonic() < end:
        time.sleep(0.05)
    assert not broadcaster._feeds, "the watches go on without their clients"
