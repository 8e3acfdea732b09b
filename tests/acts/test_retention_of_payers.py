"""Data of an account and of its payers of record are kept with one another's."""

from typing import Any

import pytest
from django.utils import timezone

from billing.compliance.preferences import Preferences
from billing.models import AccountPayer, BillingAccount, BillingAccountAffiliation
from billing.services.affiliations.facts import activate_due
from billing.services.holds import set_hold
from billing.services.retention import plans
from billing.services.retention.archival import ARCHIVIST, archive
from billing.services.retention.purges import PURGER, purge
from billing.tasks import purge_accounts
from milo.errors import Invalid
from projects.models import Organization
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.ledger import refused
from tests.support.retention import noon

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def platform(settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    # 10 years from the day of the record
    settings.MILO_PLATFORM_COUNTRY = "AR"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda day: monkeypatch.setattr(timezone, "now", lambda: noon(day))


@pytest.fixture
def tree(organization: Organization, clock: Any) -> tuple[BillingAccount, BillingAccount]:
    return a_tree(organization, clock)


def a_tree(organization: Organization, clock: Any, country: str = "") -> tuple[BillingAccount, BillingAccount]:
    """`group` was payer of record of `eu` until that paid itself; both were closed, `eu` two years later."""
    clock("2026-01-10")
    group = make.a_ready_account(organization, "group", preferences=Preferences(country, "individual"))
    eu = make.a_ready_account(organization, "eu")
    an_affiliation(eu, group)
    an_affiliation(eu, after=1)
    clock("2026-02-10")
    activate_due()
    make.in_phase(group, "Closed")
    clock("2028-02-10")
    make.in_phase(eu, "Closed")
    clock("2028-06-01")
    archive(group.pk, actor=ARCHIVIST)
    return group, eu


def day_of(account: BillingAccount) -> str:
    planned = plans.planned(BillingAccount.objects.get(pk=account.pk), timezone.now().date())
    (listed,) = (each for each in plans.plan(timezone.now().date()) if each.account == account)
    assert (listed.purge_on, listed.kept_for) == (planned.purge_on, planned.kept_for)
    return planned.kept_for or str(planned.purge_on)


def test_a_payer_of_record_is_purged_no_earlier_than_the_last_account_that_it_paid_for(
    tree: tuple[BillingAccount, BillingAccount], clock: Any
) -> None:
    group, eu = tree
    archive(eu.pk, actor=ARCHIVIST)
    assert str(BillingAccount.objects.get(pk=group.pk).purge_on) == "2036-02-11"
    assert (day_of(group), day_of(eu)) == ("2038-02-11", "2038-02-11")
    clock("2036-02-11")
    assert purge_accounts() == 0
    with refused(Invalid, "it is purged on 2038-02-11 at the earliest"):
        purge(group.pk, actor=PURGER)
    clock("2038-02-11")
    assert purge_accounts() == 2
    # the shape of the tree stays: names, parents, months and payers of record
    facts = BillingAccountAffiliation.objects.order_by("pk").values_list("account__name", "parent__name", "reason")
    assert list(facts) == [("eu", "group", "[purged]"), ("eu", None, "[purged]")]
    assert AccountPayer.objects.filter(account=eu, payer=group).exists()


def test_a_payer_of_record_is_kept_while_an_account_that_it_paid_for_has_no_day(
    tree: tuple[BillingAccount, BillingAccount], clock: Any
) -> None:
    group, eu = tree
    set_hold(eu.pk, type="LegalHold", message="a court asks", actor=make.PLATFORM)
    clock("2040-01-01")
    assert day_of(group) == "eu"
    assert purge_accounts() == 0
    with refused(Invalid, "it was payer of record of eu, whose data are kept"):
        purge(group.pk, actor=PURGER)


def test_of_an_account_and_its_payers_of_record_the_longest_retention_counts(
    organization: Organization, clock: Any
) -> None:
    _group, eu = a_tree(organization, clock, "DE")
    # 10 years from the end of the calendar year, as in the country of the group
    assert str(archive(eu.pk, actor=ARCHIVIST).purge_on) == day_of(eu) == "2039-01-01"
