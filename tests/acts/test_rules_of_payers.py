"""Country rules of accounts under others: those of invoices judge the payer of record, those of data both."""

from dataclasses import replace
from typing import Any

import pytest

from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.preferences import Preferences
from billing.compliance.rules import residency
from billing.compliance.rules import retention as kept
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise, validate
from billing.services.compliance.drift import checked_accounts, find_drift
from billing.services.notices import deliveries
from billing.tasks import announce_standing
from milo.errors import Invalid
from milo.kube.models import Change
from projects.models import Organization
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months
from tests.support.clock import clock

__all__ = ["clock", "in_months"]
pytestmark = pytest.mark.django_db
# a business in Poland needs a tax number, and gets its invoices by KSeF
POLISH = Preferences(country="PL")


@pytest.fixture
def group(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "group", currency_code="EUR")


@pytest.fixture
def polish(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "polish", currency_code="EUR", preferences=POLISH)


def test_rules_of_invoices_judge_the_payer_of_record(
    polish: BillingAccount, group: BillingAccount, settings: Any
) -> None:
    assert (polish.phase, polish.compliance_reason) == ("Incomplete", "ComplianceErrors")
    an_affiliation(polish, group)
    assert polish.phase == "Ready"
    assert "tax" not in polish.compliance_message
    assert polish.compliance_reason != "ComplianceErrors"
    assert [each.name for each in find_drift(iter(checked_accounts()), polish.created_at.date())] == []
    # a revision is judged as the account is
    revise(polish.pk, AccountSpec("renamed", "EUR", preferences=POLISH), actor=make.PLATFORM)


def test_an_account_that_is_to_pay_itself_keeps_the_rules_of_its_country(
    polish: BillingAccount, group: BillingAccount, in_months: Months
) -> None:
    an_affiliation(polish, group)
    with pytest.raises(Invalid) as refusal:
        an_affiliation(polish, after=1)
    assert any(
        cause.message.startswith("polish would break a rule once it pays itself: spec.preferences.taxRegistrations")
        for cause in refusal.value.causes
    )
    kept_rules = Preferences(country="PL", tax_registrations=(TaxRegistration("PL", "PL8567346215"),))
    spec = AccountSpec("", "EUR", make.TERMS, make.CARD, preferences=kept_rules)
    revise(polish.pk, spec, actor=make.PLATFORM)
    an_affiliation(polish, after=1)
    in_months.go()
    polish.refresh_from_db()
    assert (polish.phase, polish.paid_by) == ("Ready", None)
    assert polish.compliance_reason


def test_the_payer_of_record_is_judged_as_ever(polish: BillingAccount, group: BillingAccount) -> None:
    an_affiliation(polish, group)
    with pytest.raises(Invalid):
        revise(group.pk, AccountSpec("", "EUR", make.TERMS, make.CARD, preferences=POLISH), actor=make.PLATFORM)


def test_data_region_and_retention_take_the_stricter_of_the_two(organization: Organization) -> None:
    day = make.a_ready_account(organization).created_at.date()
    germany, nowhere = AccountFacts(preferences=Preferences("DE")), AccountFacts(preferences=Preferences())
    for facts in (AccountFacts(payer=germany), AccountFacts(preferences=Preferences("DE"), payer=nowhere)):
        platform = PlatformSettings(data_regions=("US",), retention_years=1)
        assert {each.rule for each in residency.findings(facts, platform, day)} == {"residency.DE"}
        assert {each.rule for each in kept.findings(facts, platform, day)} == {"retention.DE"}
    wanted = AccountFacts(payer=AccountFacts(preferences=Preferences("DE", data_residency="EU")))
    assert not [*residency.findings(wanted, PlatformSettings(data_regions=("US", "EU")), day)]


def test_an_account_that_pays_itself_under_another_is_judged_by_itself(
    polish: BillingAccount, group: BillingAccount
) -> None:
    an_affiliation(polish, group, payer="Self")
    validate(polish.pk, actor=make.PLATFORM)
    polish.refresh_from_db()
    assert polish.phase == "Incomplete"


def test_a_revision_of_the_payer_of_record_is_followed_in_steps_and_tells_no_project(
    organization: Organization, group: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "ANNOUNCED_AT_ONCE", 1)
    below = [make.a_ready_account(organization, name, currency_code="EUR") for name in ("eu", "apac")]
    for account in below:
        an_affiliation(account, group)
    make.a_binding(make.a_project(organization), group)
    announce_standing()
    events = Change.objects.count()
    group.refresh_from_db()
    revise(group.pk, replace(AccountSpec.of(group), preferences=Preferences(country="DE")), actor=make.PLATFORM)
    assert [account.compliance_reason for account in below] == ["", ""]
    assert announce_standing() == 2
    for account in below:
        account.refresh_from_db()
        assert account.compliance_reason == "NoFindings"
        assert account.compliance_since
    # of group, and of each account that it pays for
    assert Change.objects.count() - events == 3
    # what changes nothing is not written
    group.refresh_from_db()
    revise(group.pk, replace(AccountSpec.of(group), display_name="Group"), actor=make.PLATFORM)
    announce_standing()
    assert Change.objects.count() - events == 4
