"""Feature gates: each turns a capability off and on again, and data made before stay."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.test import Client
from django.utils import timezone

from billing import tasks
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount, Charge, Notice, UsageEvent
from billing.services.account_spec import AccountSpec
from billing.services.accounts import revise
from milo import feature_gates
from milo.celery import log_gates
from milo.errors import Invalid
from milo.settings import values
from projects.models import Organization, Project
from tests.api.client import BILLING, Api, nothing_changes
from tests.api.test_lifecycle import a_charge
from tests.support import make
from tests.support.retention import a_closed_account, noon
from tests.support.usage import an_event

pytestmark = [pytest.mark.django_db, pytest.mark.once]
EVENTS = "/apis/usage.milo.io/v1alpha1/events"
BATCH = "application/cloudevents-batch+json"
CHARGES = f"{BILLING}/namespaces/acme-corp/charges"
GERMAN = Preferences(country="DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),), invoice_language="de-DE")
# its check digit is wrong
WRONG = replace(GERMAN, tax_registrations=(TaxRegistration("DE", "DE136695975"),))


def turned(settings: Any, **gates: str) -> None:
    settings.MILO_FEATURE_GATES = gates


def expect_disabled(answer: Any, gate: str) -> None:
    status = answer.refused(503, "ServiceUnavailable")
    assert gate in status["message"]
    assert [cause["reason"] for cause in status["details"]["causes"]] == ["FeatureDisabled"]
    assert answer.headers["Retry-After"] == "300"


def test_usage_is_refused_while_its_intake_is_off_and_counted_once_afterwards(
    organization: Organization, project: Project, settings: Any
) -> None:
    reporter = Api.of(make.a_person("meter", groups=("usage-reporter",)))
    stranger = Api.of(make.a_person("stranger"))
    first, second = an_event(project), an_event(project)
    reporter.post(EVENTS, [first], BATCH).done()
    turned(settings, UsageIntake="false")
    with nothing_changes():
        expect_disabled(reporter.post(EVENTS, [second], BATCH, Idempotency_Key="k-1"), "UsageIntake")
        stranger.post(EVENTS, [second], BATCH).refused(403, "Forbidden")
    assert UsageEvent.objects.count() == 1
    reader = Api.of(make.a_person(roles={organization: "billing-viewer"}))
    assert reader.get(f"/apis/resources.milo.io/v1alpha1/projects/{project}/usage").code in (200, 404)
    turned(settings)
    assert reporter.post(EVENTS, [second], BATCH, Idempotency_Key="k-1").done()["accepted"] == 1
    assert reporter.post(EVENTS, [first, second], BATCH).done()["duplicates"] == 2


def test_charges_are_refused_while_their_reporting_is_off_and_known_ones_are_settled(
    account: BillingAccount, settings: Any
) -> None:
    reporter = Api.of(make.a_person("reporter", groups=("charge-reporter",)))
    name = reporter.post(CHARGES, a_charge()).done(201)["metadata"]["name"]
    turned(settings, ChargeReporting="false")
    with nothing_changes():
        expect_disabled(reporter.post(CHARGES, a_charge(externalId="18/2026")), "ChargeReporting")
    assert reporter.post(f"{CHARGES}/{name}/settle", {"spec": {"reference": "wire 5"}}).code == 200
    turned(settings)
    reporter.post(CHARGES, a_charge(externalId="18/2026")).done(201)
    assert Charge.objects.count() == 2


def test_notices_wait_while_their_delivery_is_off(account: BillingAccount, settings: Any, mailoutbox: Any) -> None:
    BillingAccount.objects.filter(pk=account.pk).update(invoice_email_addresses=["invoices@acme-corp.example"])
    turned(settings, NoticeDelivery="false")
    make.in_phase(account, BillingAccount.Phase.SUSPENDED)
    assert tasks.deliver_notices() == 0
    assert Notice.objects.get().phase == "Pending"
    assert mailoutbox == []
    turned(settings)
    assert tasks.deliver_notices() == 1
    assert Notice.objects.get().phase == "Delivered"
    assert len(mailoutbox) == 1


def test_nothing_is_archived_purged_or_announced_while_that_is_off(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "tests.support.retention.Failing"}}
    settings.MILO_PLATFORM_COUNTRY = "DE"
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-01-10"))
    account = a_closed_account(make.an_organization("acme-corp"))

    def phase() -> str:
        return str(BillingAccount.objects.get(pk=account.pk).phase)

    turned(settings, Archival="false", Purge="false")
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-04-05"))
    assert tasks.announce_retention() == 0
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-04-11"))
    assert (tasks.archive_accounts(), phase()) == (0, "Closed")
    turned(settings, Purge="false")
    assert (tasks.archive_accounts(), phase()) == (1, "Archived")
    monkeypatch.setattr(timezone, "now", lambda: noon("2040-01-01"))
    assert tasks.purge_accounts() == 0
    assert BillingAccount.objects.get(pk=account.pk).pseudonymised_on is None
    turned(settings)
    assert tasks.purge_accounts() == 1
    assert BillingAccount.objects.get(pk=account.pk).pseudonymised_on


def compliant(account: BillingAccount) -> str:
    return str(BillingAccount.objects.get(pk=account.pk).compliance_reason)


def test_rules_audit_or_are_ignored_and_enforcing_again_alters_no_account(
    organization: Organization, settings: Any
) -> None:
    german: dict[str, Any] = {"currency_code": "EUR", "preferences": WRONG}
    with pytest.raises(Invalid):
        make.a_ready_account(organization, "enforced", **german)
    turned(settings, ComplianceEnforcement="audit")
    audited = make.a_ready_account(organization, "audited", **german)
    assert (audited.phase, compliant(audited)) == ("Ready", "ComplianceErrors")
    turned(settings, ComplianceEnforcement="off")
    ignored = make.a_ready_account(organization, "ignored", **german)
    assert (ignored.phase, compliant(ignored)) == ("Ready", "")
    tasks.assess_accounts()
    assert compliant(audited) == ""
    turned(settings)
    tasks.assess_accounts()
    for account in (audited, ignored):
        kept = BillingAccount.objects.get(pk=account.pk)
        assert (kept.phase, compliant(account)) == ("Ready", "ComplianceErrors")
        spec = replace(AccountSpec.of(kept), display_name="Renamed")
        assert revise(account.pk, spec, actor=make.PLATFORM).phase == "Ready"
    assert not BillingAccount.objects.filter(name="enforced").exists()


@pytest.mark.parametrize("mode", ["off", "audit"])
def test_faults_of_a_value_are_refused_in_every_mode(mode: str, organization: Organization, settings: Any) -> None:
    turned(settings, ComplianceEnforcement=mode)
    with pytest.raises(Invalid):
        make.a_ready_account(organization, "us", currency_code="XYZ")


def test_gates_are_logged_listed_and_exported(
    settings: Any, capsys: pytest.CaptureFixture[str], json_lines: None
) -> None:
    turned(settings, UsageIntake="false", ComplianceEnforcement="audit")
    log_gates()
    logged = json.loads(capsys.readouterr().err)
    assert (logged["event"], logged["UsageIntake"], logged["Purge"]) == ("feature_gates", "false", "true")
    assert logged["ComplianceEnforcement"] == "audit"
    page = Client().get("/readyz?verbose").content.decode()
    assert "\n[i]feature-gate ComplianceEnforcement=audit (BETA)\n" in page
    assert "\n[i]feature-gate UsageIntake=false (GA)\n" in page
    assert "feature-gate" not in Client().get("/livez?verbose").content.decode()
    metrics = Client().get("/metrics").content.decode()
    assert 'milo_feature_enabled{name="UsageIntake",stage="GA"} 0.0' in metrics
    assert 'milo_feature_enabled{name="ComplianceEnforcement",stage="BETA"} 1.0' in metrics


@pytest.mark.parametrize(
    ("gates", "fault"),
    [
        ({"UsageIntak": "false"}, "did you mean UsageIntake?"),
        ({"usageintake": "false"}, "did you mean UsageIntake?"),
        ({"Qqqqqq": "false"}, "did you mean Archival or ChargeReporting or"),
        ({"UsageIntake": "audit"}, "must set UsageIntake to false or true, not 'audit'"),
        ({"ComplianceEnforcement": "false"}, "must set ComplianceEnforcement to off or audit or enforce"),
    ],
)
def test_an_unknown_gate_or_mode_is_refused_by_name(gates: dict[str, str], fault: str, settings: Any) -> None:
    turned(settings, **gates)
    [told] = feature_gates.faults()
    assert told.startswith("MILO_FEATURE_GATES")
    assert fault in told


@pytest.mark.parametrize("text", ["UsageIntake", "=false", "UsageIntake=", "A=true,A=false", "A=true;B=false,"])
def test_a_text_that_is_no_list_of_gates_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not one|stands in it twice"):
        values.FEATURE_GATES.parse(text)


def test_gates_may_be_spaced_and_their_values_capitalized() -> None:
    assert values.FEATURE_GATES.parse(" UsageIntake = False , Purge=TRUE,") == (
        ("UsageIntake", "false"),
        ("Purge", "true"),
    )


def test_the_page_of_gates_is_what_is_registered() -> None:
    page = (project_settings.BASE_DIR / "docs/feature-gates.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| `(\w+)` \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    assert rows == [
        (
            gate.name,
            str(gate.stage),
            ", ".join(f"`{mode}`" for mode in gate.modes),
            gate.default,
            gate.meaning,
            gate.off,
        )
        for gate in feature_gates.all_gates()
    ]
