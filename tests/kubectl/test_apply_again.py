"""Applying again what is applied already, by both ways, and what else people do to an object with kubectl."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from billing.models import ApprovalRequest, BillingAccount, Charge
from milo import audit
from milo.kube.models import Change
from projects.models import Organization
from tests.kubectl.commands import Kubectl
from tests.kubectl.conftest import Acme
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.live import Live

# kubectl is answered alike by both engines, which tests/api asks
pytestmark = pytest.mark.once

SAMPLES = Path(__file__).parents[2] / "samples"
SERVER = "--server-side"
REQUEST = """\
apiVersion: billing.milo.io/v1alpha1
kind: ApprovalRequest
metadata: {name: longer-terms, namespace: acme-corp}
spec:
  billingAccountRef: {name: us}
  action: ReviseTerms
  justification: "Agreed in the renewal. "
  proposal:
    paymentTerms: {netDays: 90, invoiceFrequency: Monthly, invoiceDayOfMonth: 1}
"""
CHARGE = """\
apiVersion: billing.milo.io/v1alpha1
kind: Charge
metadata: {name: invoice-1, namespace: acme-corp}
spec:
  billingAccountRef: {name: us}
  externalId: invoice-1
  amount: "12.50"
  currencyCode: USD
  dueDate: "2030-01-31"
"""
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: acme-corp
  labels: {tier: gold}
"""
US = """\
apiVersion: billing.milo.io/v1alpha1
kind: BillingAccount
metadata: {name: terms, namespace: acme-corp}
spec:
  currencyCode: USD
  displayName: "Terms "
  paymentTerms: {netDays: 30, invoiceFrequency: Monthly, invoiceDayOfMonth: 1}
  paymentProfile: {creditCard: {cardReference: cc-12345}}
"""


@pytest.fixture
def everything(live: Live, acme: Acme) -> Kubectl:
    """Who may write objects of every kind."""
    return Kubectl.of(live, make.a_person("everything", groups=("finance-operator", "charge-reporter")))


def ledger() -> dict[str, Any]:
    """Every history row, and every event."""
    histories = {
        model._meta.label: list(history.model_of(model)._default_manager.order_by("pk").values())
        for model, history in audit.histories().items()
    }
    return {**histories, "events": list(Change.objects.exclude(reason="").order_by("pk").values())}


@contextmanager
def nobody_answers_for_anything_new() -> Iterator[None]:
    """Who manages which field may have changed, and nothing else."""
    before = ledger()
    yield
    assert ledger() == before


@pytest.mark.parametrize("first", [(), (SERVER,)], ids=["client-side", "server-side"])
def test_the_samples_are_applied_once(live: Live, transactional_db: None, first: tuple[str, ...]) -> None:
    operator = Kubectl.of(live, make.a_person("operator", groups=("finance-operator",)))
    apply, samples = ("apply", *first), f"-f{SAMPLES}"
    operator(*apply, samples)
    with nothing_changes():
        assert operator("diff", *first, samples) == ""
        operator(*apply, samples)
        assert operator("diff", *first, samples) == ""


def test_the_samples_go_over_to_server_side_apply_and_nobody_answers_for_anything_new(
    live: Live, transactional_db: None
) -> None:
    operator = Kubectl.of(live, make.a_person("operator", groups=("finance-operator",)))
    samples = f"-f{SAMPLES}"
    operator("apply", samples)
    with nobody_answers_for_anything_new():
        operator("apply", SERVER, samples)
    with nothing_changes():
        operator("apply", SERVER, samples)
        assert operator("diff", SERVER, samples) == ""


@pytest.mark.parametrize("way", [(), (SERVER,)], ids=["client-side", "server-side"])
@pytest.mark.parametrize(
    ("manifest", "what"),
    [(REQUEST, "approvalrequest/longer-terms"), (CHARGE, "charge/invoice-1"), (NAMESPACE, "namespace/acme-corp")],
    ids=["request", "charge", "namespace"],
)
def test_what_is_fixed_is_applied_twice_labelled_annotated_and_compared(
    everything: Kubectl, manifest: str, what: str, way: tuple[str, ...]
) -> None:
    everything("apply", *way, "-f-", stdin=manifest)
    with nothing_changes():
        everything("apply", *way, "-f-", stdin=manifest)
        assert everything("diff", *way, "-f-", stdin=manifest) == ""
    everything("label", what, "reviewed=yes")
    everything("annotate", what, "acme-corp.example/note=seen")
    shown = everything("get", what, "-o=jsonpath={.metadata.labels.reviewed} {.metadata.annotations}")
    assert shown.startswith("yes ")
    assert '"acme-corp.example/note":"seen"' in shown
    # what others added stays
    with nothing_changes():
        everything("apply", *way, "-f-", stdin=manifest)
    everything("label", what, "reviewed-")
    everything("patch", what, "--type=merge", '-p={"metadata":{"labels":{"patched":"yes"}}}')
    labels = everything("get", what, "-o=jsonpath={.metadata.labels}")
    assert '"patched":"yes"' in labels
    assert "reviewed" not in labels


def test_another_spec_is_refused_with_the_way_to_go(everything: Kubectl) -> None:
    for manifest in (REQUEST, CHARGE):
        everything("apply", "-f-", stdin=manifest)
    with nothing_changes():
        for way in ((), (SERVER,)):
            refused = everything.refused("apply", *way, "-f-", stdin=REQUEST.replace("netDays: 90", "netDays: 60"))
            assert "ask for it by another approval request" in refused
            refused = everything.refused("apply", *way, "-f-", stdin=CHARGE.replace("12.50", "13"))
            assert "settle this charge and report another one" in refused


def test_a_namespace_changes_the_metadata_of_its_organization_and_nothing_else(everything: Kubectl) -> None:
    before = Organization.objects.get(name="acme-corp")
    everything("apply", SERVER, "-f-", stdin=NAMESPACE)
    everything("apply", "-f-", stdin=NAMESPACE.replace("gold", "silver"))
    after = Organization.objects.get(name="acme-corp")
    assert after.labels == {"tier": "silver"}
    assert (after.display_name, after.generation) == (before.display_name, before.generation)
    shown = everything("get", "ns", "acme-corp", "-o=jsonpath={.metadata.labels}")
    assert shown == '{"kubernetes.io/metadata.name":"acme-corp","tier":"silver"}'
    assert "is fixed to the name" in everything.refused(
        "label", "ns", "acme-corp", "kubernetes.io/metadata.name=x", "--overwrite"
    )
    assert "strict decoding error" in everything.refused(
        "apply", "--validate=strict", "-f-", stdin=NAMESPACE + "spec: {displayName: x}\n"
    )


def test_core_kinds_are_created_and_validated_from_files(everything: Kubectl) -> None:
    new = NAMESPACE.replace("acme-corp", "new-corp")
    assert "unknown field" in everything.refused("create", "-f-", stdin=new + "spce: {}\n")
    assert everything("create", "-f-", stdin=new) == "namespace/new-corp created\n"


def test_who_goes_over_from_client_side_to_server_side_apply_meets_no_conflict_and_leaves_nothing_behind(
    everything: Kubectl,
) -> None:
    labelled = US.replace("namespace:", "labels: {team: a, region: us}, namespace:")
    everything("apply", "-f-", stdin=labelled)
    managers = "-o=jsonpath={range .metadata.managedFields[*]}{.manager}={.operation} {end}"
    shown = everything("get", "ba", "terms", "--show-managed-fields", managers)
    assert shown == "kubectl-client-side-apply=Update "
    # longer terms and a label less than before
    everything("apply", SERVER, "-f-", stdin=labelled.replace("team: a, ", "").replace("netDays: 30", "netDays: 45"))
    account = BillingAccount.objects.get(name="terms")
    assert (account.net_days, account.labels) == (45, {"region": "us"})
    shown = everything("get", "ba", "terms", "--show-managed-fields", managers)
    assert "kubectl=Apply" in shown
    assert "kubectl-client-side-apply" not in shown
    # and back
    everything("apply", "-f-", stdin=US)
    assert BillingAccount.objects.get(name="terms").labels == {}


def test_the_first_write_names_its_manager(everything: Kubectl) -> None:
    everything("create", "-f-", stdin=US)
    everything("label", "ba", "terms", "tier=gold")
    everything("patch", "ba", "terms", "--type=merge", '-p={"spec":{"displayName":"Other"}}', "--field-manager=finance")
    shown = everything(
        "get", "ba", "terms", "--show-managed-fields", "-o=jsonpath={.metadata.managedFields[*].manager}"
    )
    assert set(shown.split()) == {"kubectl-create", "kubectl-label", "finance"}


def test_what_two_people_agreed_is_no_silent_undo_of_the_next_apply(everything: Kubectl) -> None:
    everything("apply", SERVER, "-f-", stdin=US)
    account = BillingAccount.objects.get(name="terms")
    make.an_approved(account, "ReviseTerms", name="renewal")
    refused = everything.refused("apply", SERVER, "-f-", stdin=US)
    assert 'conflict with "approvalrequest/renewal"' in refused
    assert ".spec.paymentTerms.netDays" in refused
    account.refresh_from_db()
    assert account.net_days == 90
    agreed = US.replace("netDays: 30", "netDays: 90")
    with nobody_answers_for_anything_new():
        everything("apply", SERVER, "-f-", stdin=agreed)
    with nothing_changes():
        everything("apply", SERVER, "-f-", stdin=agreed)


def test_history_of_labels_names_who_set_them(everything: Kubectl) -> None:
    for manifest in (REQUEST, CHARGE):
        everything("apply", "-f-", stdin=manifest)
    everything("label", "approvalrequest/longer-terms", "charge/invoice-1", "a=b")
    for row, reason in (
        (ApprovalRequest.objects.get(name="longer-terms"), "ApprovalRelabelled"),
        (Charge.objects.get(name="invoice-1"), "ChargeRelabelled"),
    ):
        newest = row.history.latest()
        assert (newest.history_user_id, newest.history_summary) == ("user:everything", reason)
