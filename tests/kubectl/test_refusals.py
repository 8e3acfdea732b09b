"""What kubectl prints where the server says no, and that nothing has changed then."""

from collections.abc import Iterator

import pytest

from milo.kube.models import Change
from tests.kubectl.commands import ACCOUNT, BINDING, Kubectl
from tests.kubectl.conftest import Acme

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _nothing_changes(acme: Acme) -> Iterator[None]:
    before = Change.objects.count()
    yield
    assert Change.objects.count() == before


def test_nothing_is_deleted_and_kubectl_says_what_to_do_instead(admin: Kubectl) -> None:
    assert "move its projects to another account by new bindings, then request its closure" in admin.refused(
        "delete", "ba", "us"
    )
    assert "create a new binding, which supersedes it" in admin.refused("delete", "bab", "--all")
    assert "POST to its subresource archive instead" in admin.refused("delete", "project/web")
    assert "its ledger is kept" in admin.refused("delete", "org", "acme-corp")
    assert "its ledger is kept" in admin.refused("delete", "ns", "acme-corp")


def test_a_binding_is_fixed(admin: Kubectl) -> None:
    change = '{"spec": {"billingAccountRef": {"name": "eu"}}}'
    assert admin.refused("patch", "bab", "web-to-us", "--type=merge", f"-p={change}") == (
        'The BillingAccountBinding "web-to-us" is invalid: spec.billingAccountRef.name: '
        "is fixed; create a new binding, which supersedes this one\n"
    )


def test_every_fault_is_a_bullet(admin: Kubectl) -> None:
    wrong = ACCOUNT.replace("SGD", "XXX").replace("netDays: 30", "netDays: 900").replace("Monthly", "Weekly")
    bullets = admin.refused("create", "-f-", "--validate=false", stdin=wrong)
    assert bullets.startswith('The BillingAccount "asia" is invalid: \n')
    assert "* spec.paymentTerms.netDays: " in bullets
    assert "* spec.paymentTerms.invoiceFrequency: " in bullets
    both = BINDING.replace("name: web}", "name: nothing}").replace("name: eu}", "name: labs}")
    bullets = admin.refused("create", "-f-", stdin=both)
    assert "* spec.projectRef.name: there is no project nothing in this organization" in bullets
    assert "* spec.billingAccountRef.name: billing account labs is Incomplete, not Ready: " in bullets


def test_typos_and_wrong_addresses_are_named(admin: Kubectl) -> None:
    typo = '{"spec": {"displayNam": "x"}}'
    assert 'strict decoding error: unknown field "spec.displayNam"' in admin.refused(
        "patch", "ba", "us", "--type=merge", f"-p={typo}"
    )
    elsewhere = ACCOUNT.replace("  name: asia\n", "  name: asia\n  namespace: nowhere\n")
    assert 'namespaces "nowhere" not found' in admin.refused("apply", "-f-", "-n=nowhere", stdin=elsewhere)
    assert "does not match the namespace" in admin.refused("create", "-f-", "-n=acme-corp", stdin=elsewhere)
    unknown = ACCOUNT.replace("kind: BillingAccount", "kind: Payer")
    assert 'no matches for kind "Payer"' in admin.refused("create", "-f-", "--validate=false", stdin=unknown)
    assert "the server doesn't have a resource type" in admin.refused("get", "payers")


def test_a_stale_replacement_is_refused(admin: Kubectl, acme: Acme) -> None:
    stale = admin("get", "ba", "us", "-o=yaml").replace("displayName: US", "displayName: Ours")
    stale = stale.replace(f'resourceVersion: "{_revision(acme)}"', 'resourceVersion: "1"')
    assert "(Conflict)" in admin.refused("replace", "-f-", stdin=stale)


def _revision(acme: Acme) -> int:
    newest = Change.objects.filter(uid=acme.us.uid).order_by("-resource_version").first()
    assert newest
    return newest.resource_version
