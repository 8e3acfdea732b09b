"""The internal note of a hold: read by who sets holds and who decides their release, and told to nobody else."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.models import ApprovalRequest, BillingAccount, Hold, Notice
from billing.models.approval import public_review
from billing.notice_texts import render
from billing.services.holds import set_hold
from milo.kube.kinds import all_kinds
from projects.models import Organization
from tests.api.client import ACCOUNTS, BILLING, Api
from tests.support import make

pytestmark = pytest.mark.django_db
NOTE, MESSAGE = "the prosecutor asked in secret", "kept as it is for a legal reason"
US = f"{ACCOUNTS}/us"


@pytest.fixture
def tenant(organization: Organization) -> Api:
    return Api.of(make.a_person("acme-admin", roles={organization: "billing-admin"}))


@pytest.fixture
def released(account: BillingAccount) -> ApprovalRequest:
    hold = set_hold(account.pk, type="LegalHold", message=MESSAGE, reason=NOTE, actor=make.PLATFORM)
    request = make.a_request(account, "ReleaseHold", proposal={"hold": str(hold.uid)})
    make.approve(request.pk, actor=make.APPROVER)
    set_hold(account.pk, type="LegalHold", message=MESSAGE, reason=NOTE, actor=make.PLATFORM)
    return request


def test_a_tenant_reads_the_message_and_nowhere_the_note(tenant: Api, released: ApprovalRequest) -> None:
    kind = next(kind for kind in all_kinds() if kind.kind == "BillingAccount")
    paths = [f"{US}/{reading.name}" for reading in kind.read_subresources]
    paths += [US, f"{BILLING}/namespaces/acme-corp/approvalrequests", "/api/v1/namespaces/acme-corp/events"]
    paths += [f"{BILLING}/namespaces/acme-corp/approvalrequests/{released.name}"]
    answers = {path: tenant.get(path) for path in paths}
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    answers |= {f"{path} as Table": tenant.get(path, Accept=table) for path in paths[-4:]}
    answers |= {f"{path} as CSV": tenant.get(path, Accept="text/csv") for path in paths[:-4]}
    assert {path for path, answer in answers.items() if NOTE in answer.raw.decode()} == set()
    for path in ("holds", "closurechecklist", "history"):
        assert MESSAGE in answers[f"{US}/{path}"].raw.decode(), path
    assert answers[paths[-1]].json["status"]["reviewed"]["hold"] == {"type": "LegalHold", "message": MESSAGE}


@pytest.mark.parametrize("group", ["finance-operator", "finance-approver"])
def test_who_sets_holds_and_who_decides_reads_both(group: str, released: ApprovalRequest) -> None:
    items = Api.of(make.a_person(groups=(group,))).get(f"{US}/holds").done()["items"]
    assert [(item["message"], item["internalNote"]) for item in items] == [(MESSAGE, NOTE)] * 2


def test_the_approver_sees_both_on_the_page_of_the_request(account: BillingAccount) -> None:
    hold = set_hold(account.pk, type="LegalHold", message=MESSAGE, reason=NOTE, actor=make.PLATFORM)
    request = make.a_request(account, "ReleaseHold", proposal={"hold": str(hold.uid)})
    approver: User = make.a_person("approver", groups=("finance-approver",), is_staff=True)
    client = Client()
    client.force_login(approver)
    for page in ("change", "approve"):
        shown = client.get(f"/admin/billing/approvalrequest/{request.pk}/{page}/").content.decode()
        assert NOTE in shown, page
        assert MESSAGE in shown, page


def test_no_notice_tells_the_note(account: BillingAccount, released: ApprovalRequest) -> None:
    make.a_person("decider", groups=("finance-approver",), email="decider@acme.example")
    hold = Hold.objects.open().get()
    make.a_request(account, "ReleaseHold", proposal={"hold": str(hold.uid)})
    notices = list(Notice.objects.filter(about__in=["AwaitingDecision", "Decided"]))
    assert notices
    for notice in notices:
        text = render(Notice.About(notice.about), notice.context, account=account, project=None, language="en")
        assert NOTE not in text.plain + text.html + text.subject + str(notice.context)


def test_what_earlier_versions_kept_is_staff_only_too(tenant: Api, released: ApprovalRequest) -> None:
    """The row as it was: the reason in the review of a request, which was shown to everybody who could read it."""
    released.reviewed["hold"] = {"type": "LegalHold", "reason": NOTE}
    assert public_review(released.reviewed)["hold"] == {"type": "LegalHold"}


def test_one_of_the_two_texts_is_needed(account: BillingAccount) -> None:
    operator = Api.of(make.a_person(groups=("finance-operator",)))
    refused = operator.post(f"{US}/hold", {"spec": {"type": "Dispute"}})
    refused.refused(422, "Invalid")
    assert refused.causes().keys() == {"spec.message"}
    assert not Hold.objects.exists()
    operator.post(f"{US}/hold", {"spec": {"type": "Dispute", "internalNote": "x"}}).done()
    assert operator.get(f"{US}/closurechecklist").done()["blockers"][0]["message"] == "Dispute"
