"""`kubectl explain`, which reads the OpenAPI documents."""

import re
from pathlib import Path

import pytest

from tests.support import make
from tests.support.live import Live

pytestmark = pytest.mark.once  # the documents are of the code, which reads no row for them


@pytest.fixture
def config(live: Live) -> Path:
    acme = make.an_organization("acme-corp")
    return live.kubeconfig(make.a_person("acme-viewer", roles={acme: "billing-viewer"}), "acme-corp")


def explain(live: Live, config: Path, *arguments: str) -> str:
    done = live.kubectl(config, "explain", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fields(text: str) -> list[str]:
    return re.findall(r"^  (\w+)\t<", text, re.MULTILINE)


def test_explain_tells_of_a_field_what_it_is_and_what_it_may_be(live: Live, config: Path) -> None:
    terms = explain(live, config, "billingaccount.spec.paymentTerms")
    assert "When invoices are made and due." in terms
    assert fields(terms) == sorted(fields(terms))
    assert {"netDays", "anchorMonth", "earlyPaymentDiscount", "latePaymentPenalty"} < set(fields(terms))
    assert "Day of the month on which an invoice is made, 1 to 28." in terms
    frequency = explain(live, config, "ba.spec.paymentTerms.invoiceFrequency")
    assert re.search(r"ENUM:\s+Monthly\s+Quarterly\s+Annual", frequency)


@pytest.mark.parametrize("resource", ["org", "projects", "ba", "bab", "namespaces", "events"])
def test_explain_knows_every_resource_down_to_its_last_field(live: Live, config: Path, resource: str) -> None:
    whole = explain(live, config, resource, "--recursive")
    assert re.search(r"DESCRIPTION:\n    \w+", whole)
    assert "apiVersion\t<string> -required-" in whole
    assert "creationTimestamp\t<string>" in whole


def test_explain_tells_of_a_usage_event_what_a_reporter_sends(live: Live, config: Path) -> None:
    whole = explain(live, config, "usageevents", "--recursive")
    assert re.search(r"GROUP:\s+usage.milo.io\nKIND:\s+UsageEvent", whole)
    assert {"specversion", "id", "source", "time", "subject", "data"} <= set(fields(whole))
    assert "UCUM code" in explain(live, config, "usageevents.data.unit")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("org.status.phase", "Active"),
        ("projects.status.phase", "Active Archived"),
        ("ba.status.phase", "Provisioning Incomplete Ready Suspended Closed Archived"),
        ("bab.status.phase", "Active Superseded Ended"),
        ("bab.status.billingResponsibility.endReason", "Superseded ProjectArchived"),
        ("apr.status.phase", "Pending Approved Rejected Withdrawn Expired"),
        ("ns.status.phase", "Active"),
        ("events.type", "Normal Warning"),
    ],
)
def test_explain_lists_what_a_field_may_be(live: Live, config: Path, field: str, values: str) -> None:
    found = re.search(r"ENUM:((?:\n    \S+)+)", explain(live, config, field))
    assert found, field
    assert found[1].split() == values.split()


def test_explain_refuses_a_field_that_there_is_not(live: Live, config: Path) -> None:
    done = live.kubectl(config, "explain", "billingaccount.spec.nothing")
    assert done.returncode == 1
    assert 'field "nothing" does not exist' in done.stderr
