"""Commands that make and change objects, one after another as a person gives them."""

import pytest

from billing.models import BillingAccount
from milo.kube.models import Change
from tests.kubectl.commands import ACCOUNT, Kubectl
from tests.kubectl.conftest import Acme

ASIA = "billingaccount.billing.milo.io/asia"
LONGER = ACCOUNT.replace("netDays: 30", "netDays: 45")


def asia() -> BillingAccount:
    return BillingAccount.objects.get(name="asia")


def test_apply_creates_and_then_changes_what_differs(admin: Kubectl) -> None:
    for dry_run in ("client", "server"):
        assert f"{ASIA} created" in admin("apply", "-f-", f"--dry-run={dry_run}", stdin=ACCOUNT)
        assert not BillingAccount.objects.filter(name="asia").exists()
    assert admin("apply", "-f-", stdin=ACCOUNT) == f"{ASIA} created\n"
    assert admin("apply", "-f-", stdin=ACCOUNT) == f"{ASIA} unchanged\n"
    differing = admin.live.kubectl(admin.config, "diff", "-f-", stdin=LONGER)
    assert differing.returncode == 1
    assert "-    netDays: 30\n+    netDays: 45\n" in differing.stdout
    assert asia().net_days == 30
    assert admin("apply", "-f-", stdin=LONGER) == f"{ASIA} configured\n"
    assert (asia().net_days, asia().generation) == (45, 2)
    assert admin("diff", "-f-", stdin=LONGER) == ""
    assert '"netDays": 45' in admin("apply", "view-last-applied", "ba/asia", "-o=json")
    without_label = LONGER.replace("  labels: {region: asia}\n", "")
    assert admin("apply", "-f-", stdin=without_label) == f"{ASIA} configured\n"
    assert asia().labels == {}


def test_replace_and_edit_change_the_whole_object(admin: Kubectl) -> None:
    admin("create", "-f-", stdin=ACCOUNT)
    assert admin("replace", "-f-", stdin=LONGER) == f"{ASIA} replaced\n"
    assert asia().net_days == 45
    edit = admin("edit", "ba", "asia", editor="sed -i s/Monthly/Quarterly/")
    assert edit == f"{ASIA} edited\n"
    assert asia().invoice_frequency == "Quarterly"
    unchanged = admin.live.kubectl(admin.config, "edit", "ba", "asia", EDITOR="true")
    assert "Edit cancelled, no changes made" in unchanged.stdout + unchanged.stderr
    assert "AlreadyExists" in admin.refused("create", "-f-", stdin=ACCOUNT)
    assert asia().generation == 3


@pytest.mark.parametrize(
    ("form", "patch"),
    [
        ("merge", '{"spec": {"paymentTerms": {"netDays": 10}}}'),
        ("strategic", '{"spec": {"paymentTerms": {"netDays": 10}}}'),
        ("json", '[{"op": "replace", "path": "/spec/paymentTerms/netDays", "value": 10}]'),
    ],
)
def test_patch_changes_a_part_once(admin: Kubectl, acme: Acme, form: str, patch: str) -> None:
    command = ("patch", "ba", "us", f"--type={form}", "-p", patch)
    admin(*command, "--dry-run=server")
    assert BillingAccount.objects.get(name="us").net_days == 30
    assert admin(*command) == "billingaccount.billing.milo.io/us patched\n"
    account, revisions = BillingAccount.objects.get(name="us"), Change.objects.count()
    assert (account.net_days, account.invoice_day_of_month) == (10, 1)
    assert admin(*command) == "billingaccount.billing.milo.io/us patched (no change)\n"
    assert Change.objects.count() == revisions


def test_labels_and_annotations_come_and_go(admin: Kubectl, acme: Acme) -> None:
    assert admin("label", "ba", "us", "tier=gold") == "billingaccount.billing.milo.io/us labeled\n"
    assert "already has a value (gold)" in admin.refused("label", "ba", "us", "tier=silver")
    admin("label", "ba", "us", "tier=silver", "--overwrite")
    admin("label", "bab,project", "--all", "tier=silver")
    admin("annotate", "project", "web", "acme-corp.example/owner=platform")
    for row in (acme.us, acme.binding, acme.web):
        row.refresh_from_db()
        assert row.labels == {"tier": "silver"}
    assert acme.web.annotations == {"acme-corp.example/owner": "platform"}
    assert admin("label", "ba", "us", "tier-") == "billingaccount.billing.milo.io/us unlabeled\n"
    acme.us.refresh_from_db()
    assert (acme.us.labels, acme.us.generation) == ({}, 1)
