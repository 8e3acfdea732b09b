"""Acts by kubectl: those that create objects, and those that are POST subresources."""

import json

import pytest

from billing.models import BillingAccountBinding
from projects.models import Organization, Project
from tests.kubectl.commands import BINDING, Kubectl
from tests.kubectl.conftest import Acme
from tests.support import make
from tests.support.live import Live

pytestmark = pytest.mark.once

PROJECTS = "/apis/resources.milo.io/v1alpha1/projects"
LONGER_TERMS = """\
apiVersion: billing.milo.io/v1alpha1
kind: ApprovalRequest
metadata: {name: longer-us}
spec:
  billingAccountRef: {name: us}
  action: ReviseTerms
  justification: as agreed
  proposal: {paymentTerms: {netDays: 90, invoiceFrequency: Monthly, invoiceDayOfMonth: 1}}
"""


def test_a_new_binding_takes_over_and_archiving_ends_it(admin: Kubectl, acme: Acme) -> None:
    assert admin("create", "-f-", stdin=BINDING) == "billingaccountbinding.billing.milo.io/web-to-eu created\n"
    phases = "-o=jsonpath={range .items[*]}{.metadata.name}={.status.phase} {end}"
    assert admin("get", "bab", phases) == "web-to-eu=Active web-to-us=Superseded "
    assert admin("get", "project", "web", "-o=jsonpath={.status.billingResponsibility.account}") == "eu"
    archived = json.loads(admin("create", "--raw", f"{PROJECTS}/web/archive", "-f-", stdin="{}"))
    assert archived["status"]["phase"] == "Archived"
    assert admin("get", "bab", phases) == "web-to-eu=Ended web-to-us=Superseded "
    ended = BillingAccountBinding.objects.get(name="web-to-eu").ended_at
    history = json.loads(admin("get", "--raw", f"{PROJECTS}/web/billinghistory"))["items"]
    assert [item["endReason"] for item in history] == ["Superseded", "ProjectArchived"]
    assert history[0]["endedAt"] == history[1]["establishedAt"]
    assert ended
    # the state of a thing is no field of its manifest, and kubectl prints nothing but causes
    revised = admin.refused("patch", "project", "web", "--type=merge", '-p={"spec": {"displayName": "Shop"}}')
    assert revised == 'The Project "web" is invalid: status: project web is archived and cannot be changed\n'


def test_wait_tells_an_approved_request_from_a_rejected_and_a_pending_one(
    admin: Kubectl, live: Live, acme: Acme
) -> None:
    approver = Kubectl.of(live, make.a_person("approver", groups=("finance-approver",)))
    for account, act in (("us", "approve"), ("eu", "reject"), ("labs", "")):
        admin(
            "create",
            "-f-",
            stdin=LONGER_TERMS.replace("{name: us}", f"{{name: {account}}}").replace("longer-us", f"longer-{account}"),
        )
        if act:
            path = f"/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/approvalrequests/longer-{account}/{act}"
            read = "-o=jsonpath={.status.reviewedHash}"
            seen = {"reviewedHash": approver("get", "apr", f"longer-{account}", read)} if act == "approve" else {}
            decision = json.dumps({"spec": {"comment": "seen", **seen}})
            approver("create", "--raw", path, "-f-", stdin=decision)
            late = approver.refused("create", "--raw", path, "-f-", stdin=decision)
            assert late.startswith("Error from server (Conflict): ")
            assert "already" in late
    met = {
        (account, status): admin.live.kubectl(
            admin.config, "wait", f"apr/longer-{account}", f"--for=condition=Approved={status}", "--timeout=1s"
        ).returncode
        == 0
        for account in ("us", "eu", "labs")
        for status in ("True", "False", "Unknown")
    }
    assert {key for key, value in met.items() if value} == {("us", "True"), ("eu", "False"), ("labs", "Unknown")}


def test_an_act_is_tried_by_a_dry_run(admin: Kubectl, acme: Acme) -> None:
    tried = json.loads(admin("create", "--raw", f"{PROJECTS}/web/archive?dryRun=All", "-f-", stdin="{}"))
    assert tried["status"]["phase"] == "Archived"
    assert Project.objects.get(name="web").phase == Project.Phase.ACTIVE
    assert admin("create", "-f-", "--dry-run=server", stdin=BINDING).endswith("created (server dry run)\n")
    assert not BillingAccountBinding.objects.filter(name="web-to-eu").exists()


def test_a_namespace_is_an_organization(operator: Kubectl, acme: Acme) -> None:
    assert operator("create", "namespace", "new-org") == "namespace/new-org created\n"
    assert Organization.objects.filter(name="new-org").exists()
    assert operator.table("get", "org", "new-org")[0][:2] == ["new-org", "Active"]
