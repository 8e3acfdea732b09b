"""`/metrics`: what the checks of the ledger found, and when they last found nothing."""

import pytest
from django.core.management import call_command
from django.test import Client

from billing.models import BillingAccount
from billing.tasks import inspect_ledger
from milo.ledger.models import Inspection
from tests.support import make, tamper

pytestmark = pytest.mark.django_db


def metrics() -> dict[str, float]:
    text = Client().get("/metrics").content.decode()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _space, value in (line.rpartition(" ") for line in lines)}


def test_each_check_tells_what_it_found_and_when_it_last_found_nothing() -> None:
    account = make.a_ready_account(make.an_organization())
    call_command("ledger", "seal")
    call_command("ledger", "verify")
    inspect_ledger()
    shown = metrics()
    assert {name: shown[f'milo_ledger_violations{{check="{name}"}}'] for name in ("continuity", "verify", "seal")} == {
        "continuity": 0,
        "verify": 0,
        "seal": 0,
    }
    succeeded = Inspection.objects.get(name="verify").succeeded_at
    assert succeeded
    assert shown['milo_ledger_check_success_timestamp_seconds{check="verify"}'] == pytest.approx(succeeded.timestamp())
    assert (shown["milo_ledger_seals"], shown["milo_ledger_heads_owed"]) == (1, 0)
    with tamper.guards_off():
        tamper.alter(BillingAccount.objects.get(pk=account.pk), net_days=90)
    inspect_ledger()
    assert metrics()['milo_ledger_violations{check="history"}'] == 1


def test_metrics_say_nothing_of_any_object() -> None:
    account = make.a_ready_account(make.an_organization("acme-corp"))
    with tamper.guards_off():
        tamper.alter(account, net_days=90)
    inspect_ledger()
    assert b"acme" not in Client().get("/metrics").content
