"""`kubectl apply --server-side`: who manages which field, and what conflicts."""

from billing.models import BillingAccount
from tests.kubectl.commands import ACCOUNT, Kubectl

LONGER = ACCOUNT.replace("netDays: 30", "netDays: 45")


def test_two_managers_conflict_until_one_forces_it(admin: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f-")
    applied = "billingaccount.billing.milo.io/asia serverside-applied\n"
    assert admin(*apply, stdin=ACCOUNT) == applied
    revision = admin("get", "ba", "asia", "-o=jsonpath={.metadata.resourceVersion}")
    assert admin(*apply, stdin=ACCOUNT) == applied
    assert admin("get", "ba", "asia", "-o=jsonpath={.metadata.resourceVersion}") == revision
    conflict = admin.refused(*apply, "--field-manager=finance", stdin=LONGER)
    assert 'Apply failed with 1 conflict: conflict with "kubectl" using billing.milo.io/v1alpha1' in conflict
    assert ": .spec.paymentTerms.netDays\n" in conflict
    assert BillingAccount.objects.get(name="asia").net_days == 30
    assert admin(*apply, "--field-manager=finance", "--force-conflicts", stdin=LONGER) == applied
    assert BillingAccount.objects.get(name="asia").net_days == 45
    shown = admin("get", "ba", "asia", "--show-managed-fields", "-o=jsonpath={.metadata.managedFields[*].manager}")
    # managers of one second stand in the order of their names
    assert sorted(shown.split()) == ["finance", "kubectl"]


def test_what_a_manager_no_longer_applies_is_removed(admin: Kubectl) -> None:
    admin("apply", "--server-side", "-f-", stdin=ACCOUNT)
    admin("apply", "--server-side", "-f-", stdin=ACCOUNT.replace("  labels: {region: asia}\n", ""))
    assert BillingAccount.objects.get(name="asia").labels == {}


def test_several_conflicts_are_listed_field_by_field(admin: Kubectl) -> None:
    admin("apply", "--server-side", "-f-", stdin=ACCOUNT)
    other = LONGER.replace("region: asia", "region: apac")
    conflict = admin.refused("apply", "--server-side", "--field-manager=finance", "-f-", stdin=other)
    assert 'Apply failed with 2 conflicts: conflicts with "kubectl" using billing.milo.io/v1alpha1' in conflict
    assert "\n- .metadata.labels.region\n- .spec.paymentTerms.netDays\n" in conflict
