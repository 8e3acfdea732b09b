import pytest

from billing.models import BillingAccount, BillingAccountBinding
from projects.models import Organization, Project
from tests.api.client import ACCOUNTS, BINDINGS, PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import a_binding
from tests.support import make


@pytest.fixture
def us(project: Project, example_account: BillingAccount) -> BillingAccount:
    """The account that pays for the project."""
    make.a_binding(project, example_account, "first")
    return example_account


@pytest.fixture
def eu(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "acme-corp-eu", currency_code="EUR")


def test_the_new_binding_takes_over_at_the_instant_at_which_the_old_one_ends(
    admin: Api, us: BillingAccount, eu: BillingAccount
) -> None:
    new = admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-eu", "second")).done(201)
    old = admin.get(f"{BINDINGS}/first").done()
    took_over = new["status"]["billingResponsibility"]
    gave_up = old["status"]["billingResponsibility"]
    assert old["status"]["phase"] == "Superseded"
    assert (gave_up["endedAt"], gave_up["endReason"]) == (took_over["establishedAt"], "Superseded")
    assert gave_up["supersededBy"] == "second"
    assert "currentAccount" not in gave_up
    assert old["status"]["conditions"][0]["status"] == "False"
    payer = admin.get(f"{PROJECTS}/webapp-frontend").done()["status"]["billingResponsibility"]
    assert payer == {"account": "acme-corp-eu", "establishedAt": took_over["establishedAt"]}
    counts = [
        admin.get(f"{ACCOUNTS}/acme-corp-{name}").done()["status"]["linkedProjectsCount"] for name in ("us", "eu")
    ]
    assert counts == [0, 1]


def test_each_of_the_five_objects_has_a_revision_of_its_own(admin: Api, us: BillingAccount, eu: BillingAccount) -> None:
    admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-eu", "second")).done(201)
    assert revisions("first")[-1] == ("MODIFIED", "Superseded")
    assert revisions("second") == [("ADDED", "SuccessfulBinding")]
    assert revisions("webapp-frontend")[-1] == ("MODIFIED", "PayerChanged")
    assert revisions("acme-corp-us")[-1] == ("MODIFIED", "ProjectUnlinked")
    assert revisions("acme-corp-eu")[-1] == ("MODIFIED", "ProjectLinked")


def test_the_present_payer_again_is_refused(admin: Api, us: BillingAccount) -> None:
    with nothing_changes():
        answer = admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-us", "second"))
    answer.refused(422, "Invalid")
    assert answer.causes() == {
        "spec.billingAccountRef.name": "acme-corp-us pays for this project already, by binding first"
    }


def test_a_refused_takeover_leaves_the_old_payer(admin: Api, organization: Organization, us: BillingAccount) -> None:
    make.an_incomplete_account(organization, "acme-corp-eu")
    with nothing_changes():
        admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-eu", "second")).refused(422, "Invalid")
    assert BillingAccountBinding.objects.paying().get().name == "first"


def test_the_right_on_the_project_and_on_both_accounts_is_needed(
    organization: Organization, other: Organization, project: Project, us: BillingAccount, eu: BillingAccount
) -> None:
    make.a_ready_account(other, "theirs")
    make.a_binding(make.a_project(other, "their-project"), make.a_ready_account(other, "their-payer"))
    here_only = Api.of(make.a_person(roles={organization: "billing-user", other: "billing-viewer"}))
    there_only = Api.of(make.a_person(roles={organization: "billing-viewer", other: "billing-user"}))
    both = Api.of(make.a_person(roles={organization: "billing-user", other: "billing-user"}))
    theirs = BINDINGS.replace("acme-corp", "other-corp")
    with nothing_changes():
        there_only.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-eu")).refused(403, "Forbidden")
        here_only.post(theirs, a_binding("their-project", "theirs")).refused(403, "Forbidden")
        for person in (here_only, both):
            # no account is shared between organizations, whatever somebody may in both
            person.post(BINDINGS, a_binding("webapp-frontend", "theirs")).refused(422, "Invalid")
            person.post(BINDINGS, a_binding("their-project", "acme-corp-eu")).refused(422, "Invalid")
        both.post(theirs, a_binding("webapp-frontend", "theirs")).refused(422, "Invalid")
    both.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-eu")).done(201)
    both.post(theirs, a_binding("their-project", "theirs")).done(201)


def test_a_payer_may_come_back(admin: Api, us: BillingAccount, eu: BillingAccount) -> None:
    admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-eu", "second")).done(201)
    admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-us", "third")).done(201)
    phases = {item["metadata"]["name"]: item["status"]["phase"] for item in admin.get(BINDINGS).done()["items"]}
    assert phases == {"first": "Superseded", "second": "Superseded", "third": "Active"}
