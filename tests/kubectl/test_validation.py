"""What kubectl sends after it has read in the OpenAPI documents that the server validates fields and dry-runs."""

from pathlib import Path

import pytest

from billing.models import BillingAccount
from tests.support import make
from tests.support.live import Live

pytestmark = pytest.mark.once

ACCOUNT = """\
apiVersion: billing.milo.io/v1alpha1
kind: BillingAccount
metadata:
  name: us
spec:
  currencyCode: USD
  paymentTerms:
    netDays: 30
    invoiceFrequency: Monthly
    invoiceDayOfMonth: 1
"""
TYPO = ACCOUNT.replace("netDays", "nettDays")


@pytest.fixture
def config(live: Live) -> Path:
    acme = make.an_organization("acme-corp")
    return live.kubeconfig(make.a_person("acme-admin", roles={acme: "billing-admin"}), "acme-corp")


def test_create_and_apply_make_the_object_once_and_then_change_it(live: Live, config: Path) -> None:
    created = live.kubectl(config, "create", "--save-config", "-f-", stdin=ACCOUNT)
    assert created.stdout == "billingaccount.billing.milo.io/us created\n", created.stderr
    assert "unchanged" in live.kubectl(config, "apply", "-f-", stdin=ACCOUNT).stdout
    applied = live.kubectl(config, "apply", "-f-", stdin=ACCOUNT.replace("30", "45"))
    assert applied.stdout == "billingaccount.billing.milo.io/us configured\n", applied.stderr
    assert BillingAccount.objects.get(name="us").net_days == 45


def test_create_with_a_dry_run_of_the_server_checks_everything_and_keeps_nothing(live: Live, config: Path) -> None:
    done = live.kubectl(config, "create", "--dry-run=server", "-f-", stdin=ACCOUNT)
    assert done.stdout == "billingaccount.billing.milo.io/us created (server dry run)\n", done.stderr
    wrong = live.kubectl(config, "create", "--dry-run=server", "-f-", stdin=ACCOUNT.replace("USD", "XXX"))
    assert "spec.currencyCode" in wrong.stderr
    assert not BillingAccount.objects.exists()


@pytest.mark.parametrize("command", ["create", "apply"])
def test_a_typo_is_refused_by_its_path_unless_the_user_waives_that(live: Live, config: Path, command: str) -> None:
    strict = live.kubectl(config, command, "--validate=strict", "-f-", stdin=TYPO)
    assert strict.returncode == 1
    assert 'strict decoding error: unknown field "spec.paymentTerms.nettDays"' in strict.stderr
    assert not BillingAccount.objects.exists()
    warned = live.kubectl(config, command, "--validate=warn", "-f-", stdin=TYPO)
    assert warned.stdout == "billingaccount.billing.milo.io/us created\n"
    assert 'Warning: unknown field "spec.paymentTerms.nettDays"' in warned.stderr


def test_a_typo_may_be_ignored(live: Live, config: Path) -> None:
    done = live.kubectl(config, "create", "--validate=ignore", "-f-", stdin=TYPO)
    assert (done.stdout, done.stderr) == ("billingaccount.billing.milo.io/us created\n", "")


def test_diff_shows_what_apply_would_change(live: Live, config: Path) -> None:
    live.kubectl(config, "create", "--save-config", "-f-", stdin=ACCOUNT)
    done = live.kubectl(config, "diff", "-f-", stdin=ACCOUNT.replace("30", "60"))
    assert done.returncode == 1, done.stderr
    assert "-    netDays: 30" in done.stdout
    assert "+    netDays: 60" in done.stdout
    assert BillingAccount.objects.get(name="us").net_days == 30
    assert live.kubectl(config, "diff", "-f-", stdin=ACCOUNT).returncode == 0
