"""`manage.py usage`: the rollup is proved to be a recount of the events, and made one again."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.models import UsageRollup
from billing.services.closed_months import close_month
from tests.support import make
from tests.support.usage import a_correction, an_event, assert_rollup_is_a_recount, rollup, taken

pytestmark = pytest.mark.django_db
OLD = datetime(2025, 3, 15, tzinfo=UTC)


@pytest.fixture
def metered_account(organization: Any, account: Any) -> Any:
    """The payer of the projects a-one and b-two, each with usage of now and of March 2025, when nobody paid."""
    for name in ("a-one", "b-two"):
        project = make.a_project(organization, name)
        make.a_binding(project, account)
        taken(an_event(project, "2"), an_event(project, "3"), an_event(project, "5", time=OLD))
    return account


def usage(*arguments: str) -> str:
    said = StringIO()
    call_command("usage", *arguments, stdout=said)
    return said.getvalue()


def test_a_rollup_that_is_right_is_said_to_be(metered_account: Any) -> None:
    said = usage("verify")
    assert said.splitlines()[:2] == ["1/2 a-one", "2/2 b-two"]
    assert said.endswith("months of projects are the recount of their events\n")


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows.filter(granularity="day").update(quantity=9),
        lambda rows: rows.filter(granularity="month").update(events=1),
        lambda rows: rows.delete(),
        lambda rows: rows.update(billed_in="2999-01-01"),
        lambda rows: rows.update(account=None),
    ],
)
def test_each_damage_is_found_and_repaired(metered_account: Any, damage: Any) -> None:
    before = rollup()
    damage(UsageRollup.objects.filter(account=metered_account, project__name="b-two"))
    assert rollup() != before
    with pytest.raises(CommandError, match=r"1 of .* months of projects differ"):
        usage("verify")
    assert "made right" in usage("rebuild")
    assert rollup() == before
    assert_rollup_is_a_recount()
    usage("verify")


def test_sums_of_events_that_there_are_not_are_found(metered_account: Any) -> None:
    row = UsageRollup.objects.filter(account=metered_account, granularity="day").earliest("pk")
    row.pk, row.starts_on = None, "2024-02-29"
    row.save()
    with pytest.raises(CommandError):
        usage("verify")
    assert "lacks -5 in -2 events" in usage("rebuild")
    assert_rollup_is_a_recount()


def test_account_period_and_progress_bound_the_work(metered_account: Any) -> None:
    other = make.a_ready_account(metered_account.organization, "eu")
    UsageRollup.objects.filter(project__name="a-one").exclude(account=None).update(events=7)
    with pytest.raises(CommandError):
        usage("verify", "--account", "acme-corp/us")
    assert "a-one" not in usage("verify", "--after", "a-one")
    usage("verify", "--to", "2025-03")
    usage("verify", "--account", f"acme-corp/{other.name}")
    with pytest.raises(CommandError, match="no billing account"):
        usage("verify", "--account", "acme-corp/nothing")


def test_a_closed_month_is_reported_and_left_as_it_is(metered_account: Any) -> None:
    UsageRollup.objects.filter(account=metered_account).update(billed_in="2025-03-01", starts_on="2025-03-01")
    close_month(metered_account.pk, OLD.date(), reason="invoiced", actor=make.PLATFORM)
    before = rollup(account=metered_account)
    said = StringIO()
    with pytest.raises(CommandError):
        call_command("usage", "rebuild", "--to", "2025-03", stdout=said)
    assert "left as it is: the month is closed" in said.getvalue()
    assert rollup(account=metered_account) == before


def test_verify_names_the_events_that_are_corrected_below_zero_until_they_are_corrected_back(
    metered_account: Any,
) -> None:
    good, bad = (an_event("a-one", "0.3", id=id, time=OLD) for id in ("good", "bad"))
    taken(good, bad, a_correction(good, "-0.1"), a_correction(good, "-0.2"))
    taken(first := a_correction(bad, "-0.1", id="first"))
    taken(a_correction(first, "-0.15"), a_correction(bad, "-0.2"))
    said = StringIO()
    with pytest.raises(CommandError, match="events corrected below zero: 1"):
        call_command("usage", "verify", stdout=said)
    told = "  a-one 2025-03 event bad of //meter.example/1: reported 0.3, corrected by -0.45 to -0.15"
    assert [line for line in said.getvalue().splitlines() if "event" in line and line.startswith("  ")] == [told]
    usage("verify", "--from", "2025-04")
    # sums are right, so there is nothing to make right
    assert "made right" not in usage("rebuild")
    taken(a_correction(first, "0.15"))
    usage("verify")
    assert_rollup_is_a_recount()
