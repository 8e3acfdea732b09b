"""What happened, as `kubectl describe` and `kubectl events` tell it."""

import pytest

from projects.services.organizations import OrganizationSpec, revise_organization
from tests.kubectl.commands import BINDING, Kubectl
from tests.kubectl.conftest import Acme
from tests.kubectl.test_watch import running
from tests.support import make

pytestmark = pytest.mark.once


def test_describe_tells_what_happened_to_each_object_of_a_rebind(admin: Kubectl) -> None:
    admin("create", "-f-", stdin=BINDING)
    account = admin("describe", "ba", "us")
    assert "Phase:                   Ready" in account
    assert all(reason in account.partition("Events:")[2] for reason in ("BillingAccountReady", "ProjectUnlinked"))
    assert "eu pays for web from now on" in account.partition("Events:")[2]
    assert "eu pays from now on" in admin("describe", "bab", "web-to-us").partition("Events:")[2]
    assert "now paid for by eu" in admin("describe", "project", "web").partition("Events:")[2]
    assert "OrganizationCreated" in admin("describe", "org", "acme-corp")
    assert "Status:       Active" in admin("describe", "ns", "acme-corp")


def test_events_are_listed_by_object_and_by_reason(admin: Kubectl, viewer: Kubectl) -> None:
    of_account = admin("events", "--for=ba/us")
    assert {line.split()[2] for line in of_account.splitlines()[1:]} == {"BillingAccountReady", "ProjectLinked"}
    bound = admin("get", "events", "--field-selector=reason=SuccessfulBinding", "-o=jsonpath={.items[*].message}")
    assert bound == "us pays for web"
    assert "PayerChanged" in viewer("events", "-A")
    source = admin("get", "ev", "-o=jsonpath={.items[0].source.component}")
    assert source == "system:tests"


def test_bad_news_is_listed_alone(admin: Kubectl, acme: Acme) -> None:
    assert [row[1:4] for row in admin.table("events", "--types=Warning")] == [
        ["Warning", "BillingAccountIncomplete", "BillingAccount/labs"]
    ]
    assert "Warning  BillingAccountIncomplete" in admin("describe", "ba", "labs")
    assert "Normal  BillingAccountReady" in admin("describe", "ba", "us")


def test_events_and_namespaces_are_watched(admin: Kubectl, acme: Acme) -> None:
    with (
        running(
            admin, "get", "events", "--watch", "--field-selector=reason=SuccessfulBinding", "--request-timeout=20s"
        ) as events,
        running(admin, "get", "ns", "--watch", "--output-watch-events", "--request-timeout=20s") as namespaces,
    ):
        assert "us pays for web" in events.readline() + events.readline()
        assert namespaces.readline().split() == ["EVENT", "NAME", "STATUS", "AGE"]
        assert namespaces.readline().split()[:3] == ["ADDED", "acme-corp", "Active"]
        admin("create", "-f-", stdin=BINDING)
        assert "eu pays for web" in events.readline()
        revise_organization(acme.organization.pk, OrganizationSpec("Acme"), actor=make.PLATFORM)
        assert namespaces.readline().split()[:3] == ["MODIFIED", "acme-corp", "Active"]
    assert "condition met" in admin("wait", "ns/acme-corp", "--for=jsonpath={.status.phase}=Active")
