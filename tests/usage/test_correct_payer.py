"""An approved correction says who should have paid: the past answers so, bindings stay, and usage is restated."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.api.history import billing_history
from billing.models import ApprovalRequest, BillingAccountBinding, Notice, PayerCorrection, UsageEvent
from billing.services import past
from billing.services.approvals.decisions import StaleReview
from billing.services.approvals.requests import renew, withdraw
from billing.services.closed_months import close_month
from billing.services.payer_locks import lock_payer
from billing.services.projects import archive_project
from billing.services.timeline import timeline
from billing.services.usage.intake import Receipt, report
from milo.access import Actor
from milo.errors import Forbidden, Invalid
from milo.kube.store.manifests import precise_instant
from tests.support import make, tamper
from tests.support.ledger import assert_history_explains, causes_of, refused, revisions
from tests.support.make import approve
from tests.support.threads import at_once
from tests.support.usage import REPORTER, an_event, assert_rollup_is_a_recount, paid, rollup, taken

pytestmark = pytest.mark.django_db
JANUARY, FEBRUARY, MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4, 5))
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
SECOND_APPROVER = Actor("user:second-approver", make.APPROVER.roles)
Clock = Callable[[datetime], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    def set_to(at: datetime) -> None:
        monkeypatch.setattr("django.utils.timezone.now", lambda: at)

    set_to(JANUARY)
    return set_to


class Shop:
    """A project that us pays for since January, with usage 1 of February and 2 of March; today is the 1st of April."""

    def __init__(self, clock: Clock) -> None:
        self.organization = make.an_organization()
        self.us, self.emea = (make.a_ready_account(self.organization, name) for name in ("us", "emea"))
        with make.created_at(JANUARY):
            self.project = make.a_project(self.organization, "shop", contact_email_addresses=["shop@acme-corp.example"])
        clock(JANUARY + DAY)
        self.binding = make.a_binding(self.project, self.us, "shop-us")
        for month, quantity in ((FEBRUARY, "1"), (MARCH, "2")):
            clock(month + 10 * DAY)
            taken(an_event(self.project, quantity, time=month + 9 * DAY))
        clock(APRIL)

    def proposal(self, since: datetime = FEBRUARY, until: datetime | None = MARCH, **more: Any) -> dict[str, Any]:
        ends = {"until": until.isoformat()} if until else {}
        return {"project": self.project.name, "since": since.isoformat(), **ends, **more}

    def ask(self, account: Any = None, *span: Any, **more: Any) -> ApprovalRequest:
        return make.a_request(account or self.emea, "CorrectPayer", proposal=self.proposal(*span, **more))

    def correct(self, account: Any = None, *span: Any, **more: Any) -> PayerCorrection:
        request = approve(self.ask(account, *span, **more).pk, actor=SECOND_APPROVER)
        return PayerCorrection.objects.get(request=request)

    def payer(self, at: datetime, known_at: datetime | None = None) -> str:
        payer = past.payer_at(self.project, at, known_at)
        return payer.account.name if payer else ""

    def sums(self) -> dict[tuple[str, str, str], tuple[Decimal, int, int]]:
        """Quantity, events and withdrawn ones of each month by account, month and month of the bill."""
        names = {None: "", self.us.pk: "us", self.emea.pk: "emea"}
        rows = rollup(granularity="month", project=self.project)
        return {(names[key[0]], f"{key[4]:%m}", f"{key[5]:%m}"): row for key, row in rows.items()}


@pytest.fixture
def shop(clock: Clock) -> Shop:
    return Shop(clock)


def messages_of(caught: Any) -> dict[str, str]:
    return {cause.field: cause.message for cause in caught.value.causes}


def one(quantity: int) -> tuple[Decimal, int, int]:
    return Decimal(quantity), 1, 0


def withdrawn(quantity: int) -> tuple[Decimal, int, int]:
    return Decimal(-quantity), 0, 1


def test_a_correction_answers_for_the_past_and_leaves_bindings_and_the_present_alone(shop: Shop) -> None:
    before = BillingAccountBinding.objects.filter(pk=shop.binding.pk).values().get()
    history = BillingAccountBinding.history.count()
    correction = shop.correct()
    assert [shop.payer(at) for at in (FEBRUARY - MICROSECOND, FEBRUARY, MARCH - MICROSECOND, MARCH)] == [
        *("us", "emea", "emea", "us")
    ]
    assert BillingAccountBinding.objects.filter(pk=shop.binding.pk).values().get() == before
    assert BillingAccountBinding.history.count() == history
    assert BillingAccountBinding.objects.paying().get().account == shop.us
    payer = past.payer_at(shop.project, FEBRUARY)
    assert payer
    assert (payer.binding, payer.corrected_by) == (shop.binding, correction)
    assert correction.ends_at <= correction.recorded_at


def test_what_was_known_before_a_correction_stays_the_answer_as_known_then(shop: Shop, clock: Clock) -> None:
    correction = shop.correct()
    recorded = correction.recorded_at
    assert [shop.payer(FEBRUARY, at) for at in (recorded - MICROSECOND, recorded)] == ["us", "emea"]
    clock(MAY)
    again = shop.correct(shop.us)
    known = [recorded - MICROSECOND, recorded, again.recorded_at - MICROSECOND, again.recorded_at]
    assert [shop.payer(FEBRUARY, at) for at in known] == ["us", "emea", "emea", "us"]
    assert shop.payer(FEBRUARY) == "us"


def test_open_months_are_recounted(shop: Shop) -> None:
    shop.correct()
    assert shop.sums() == {("emea", "02", "02"): one(1), ("us", "03", "03"): one(2)}
    assert_rollup_is_a_recount()


def test_a_closed_month_keeps_its_figures_and_is_reversed_in_the_first_open_one(shop: Shop, clock: Clock) -> None:
    close_month(shop.us.pk, FEBRUARY.date(), reason="invoiced", actor=make.PLATFORM)
    shop.correct()
    assert shop.sums() == {
        ("us", "02", "02"): one(1),
        ("us", "02", "03"): withdrawn(1),
        ("emea", "02", "02"): one(1),
        ("us", "03", "03"): one(2),
    }
    assert_rollup_is_a_recount()
    # closed for the new payer only: what moves is billed later, and nothing of the old one is left
    close_month(shop.emea.pk, MARCH.date(), reason="invoiced", actor=make.PLATFORM)
    clock(MAY)
    shop.correct(None, MARCH, APRIL)
    assert shop.sums()["emea", "03", "04"] == one(2)
    assert not [key for key in shop.sums() if key[:2] == ("us", "03")]
    assert_rollup_is_a_recount()


def test_correcting_a_correction_and_back_ends_where_it_began(shop: Shop, clock: Clock) -> None:
    before = rollup()
    shop.correct()
    clock(MAY)
    shop.correct(shop.us)
    assert rollup() == before
    # after the month was closed the figures of the one who gave it away and got it back cancel in the open one
    close_month(shop.us.pk, FEBRUARY.date(), reason="invoiced", actor=make.PLATFORM)
    closed = rollup()
    clock(MAY + DAY)
    shop.correct()
    clock(MAY + 2 * DAY)
    shop.correct(shop.us)
    assert rollup() == closed == before
    assert_rollup_is_a_recount()


def test_usage_that_arrives_later_for_the_span_counts_for_the_new_payer(shop: Shop, clock: Clock) -> None:
    close_month(shop.us.pk, FEBRUARY.date(), reason="invoiced", actor=make.PLATFORM)
    shop.correct()
    clock(APRIL + DAY)
    taken(an_event(shop.project, "16", time=FEBRUARY + DAY), an_event(shop.project, "32", time=MARCH))
    assert shop.sums()["emea", "02", "02"] == (Decimal(17), 2, 0)
    assert shop.sums()["us", "03", "03"] == (Decimal(34), 2, 0)
    assert_rollup_is_a_recount()


def test_of_overlapping_corrections_the_one_recorded_last_counts(shop: Shop, clock: Clock) -> None:
    shop.correct(None, FEBRUARY, APRIL)
    clock(MAY)
    shop.correct(shop.us, FEBRUARY + 5 * DAY, MARCH)
    assert [shop.payer(at) for at in (FEBRUARY, FEBRUARY + 5 * DAY, MARCH)] == ["emea", "us", "emea"]
    assert shop.sums() == {("us", "02", "02"): one(1), ("emea", "03", "03"): one(2)}
    assert_rollup_is_a_recount()


def test_a_correction_covers_a_time_without_a_payer_too(shop: Shop) -> None:
    gap = JANUARY + 12 * timedelta(hours=1)
    taken(an_event(shop.project, "4", time=gap))
    assert paid(rollup(), None) == 4
    shop.correct(None, JANUARY, FEBRUARY)
    assert (shop.payer(gap), shop.payer(JANUARY + 2 * DAY)) == ("emea", "emea")
    payer = past.payer_at(shop.project, gap)
    assert payer
    assert payer.binding is None
    assert [paid(rollup(), account) for account in (None, shop.emea)] == [0, 4]
    assert_rollup_is_a_recount()
    with refused(Invalid) as caught:
        make.a_request(shop.us, "AssignUsage", proposal=shop.proposal(JANUARY, JANUARY + DAY))
    assert messages_of(caught) == {
        "spec.proposal.since": "an account pays for the project in this span, by a correction"
    }


def test_what_nobody_paid_for_between_two_corrections_is_no_part_of_the_timeline(shop: Shop) -> None:
    with make.created_at(JANUARY):
        shop.project = make.a_project(shop.organization, "unbound")
    for since, until in ((FEBRUARY, FEBRUARY + DAY), (FEBRUARY + DAY, FEBRUARY + 2 * DAY), (MARCH, MARCH + DAY)):
        shop.correct(None, since, until)
    items = billing_history(shop.project, {}, actor=make.PLATFORM)["items"]
    assert [(each["establishedAt"], each["endedAt"], len(each["corrections"])) for each in items] == [
        (precise_instant(FEBRUARY), precise_instant(FEBRUARY + 2 * DAY), 2),
        (precise_instant(MARCH), precise_instant(MARCH + DAY), 1),
    ]


def test_without_an_end_the_account_pays_from_the_approval_on_too(shop: Shop, clock: Clock) -> None:
    request = shop.ask(None, FEBRUARY, None)
    clock(APRIL + DAY)
    approve(request.pk, actor=make.APPROVER)
    binding, correction = BillingAccountBinding.objects.paying().get(), PayerCorrection.objects.get()
    assert (binding.account, binding.supersedes) == (shop.emea, shop.binding)
    assert (correction.starts_at, correction.ends_at) == (FEBRUARY, binding.established_at)
    assert binding.established_at >= APRIL + DAY
    assert shop.sums() == {("emea", "02", "02"): one(1), ("emea", "03", "03"): one(2)}
    # one instant: nobody sees the binding without the correction
    known = binding.history.get().history_date
    assert correction.recorded_at <= known
    assert shop.payer(FEBRUARY, known) == "emea"
    assert_rollup_is_a_recount()


def test_who_asks_does_not_approve_and_what_changes_meanwhile_makes_the_review_stale(shop: Shop, clock: Clock) -> None:
    request = shop.ask()
    with refused(Forbidden):
        approve(request.pk, actor=make.REQUESTER)
    clock(APRIL + DAY)
    taken(an_event(shop.project, "16", time=FEBRUARY + DAY))
    with refused(StaleReview) as caught:
        approve(request.pk, actor=make.APPROVER)
    assert set(causes_of(caught)) == {"reviewed.usage"}
    renew(request.pk, actor=make.REQUESTER)
    close_month(shop.us.pk, FEBRUARY.date(), reason="invoiced", actor=make.PLATFORM)
    with refused(StaleReview) as caught:
        approve(request.pk, actor=make.APPROVER)
    assert set(causes_of(caught)) == {"reviewed.firstOpenMonths"}
    renew(request.pk, actor=make.REQUESTER)
    approve(request.pk, actor=make.APPROVER)
    assert shop.sums()["emea", "02", "02"] == (Decimal(17), 2, 0)


def test_a_binding_meanwhile_makes_a_review_without_an_end_stale(shop: Shop, clock: Clock) -> None:
    request = shop.ask(None, FEBRUARY, None)
    clock(APRIL + DAY)
    make.a_binding(shop.project, make.a_ready_account(shop.organization, "apac"))
    with refused(StaleReview) as caught:
        approve(request.pk, actor=make.APPROVER)
    assert set(causes_of(caught)) == {"reviewed.paysNow"}


def test_the_review_shows_payers_and_sums_before_and_after(shop: Shop) -> None:
    close_month(shop.us.pk, FEBRUARY.date(), reason="invoiced", actor=make.PLATFORM)
    reviewed = shop.ask(None, FEBRUARY, APRIL).reviewed
    of = {"service": "compute", "meter": "cpu-time", "unit": "s"}
    assert reviewed["usage"] == [
        {**of, "account": "emea", "before": "0", "after": "3"},
        {**of, "account": "us", "before": "3", "after": "0"},
    ]
    assert [payer["account"] for payer in reviewed["payers"]] == ["us"]
    assert reviewed["firstOpenMonths"] == {"us": "2026-03-01"}


THROUGHOUT = {"spec.proposal.since": "us paid for shop throughout already"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"project": "nothing"}, {"spec.proposal.project": "there is no project nothing in this organization"}),
        ({"since": "yesterday"}, {"spec.proposal.since": "must be an instant before until, and in the past"}),
        ({"since": MARCH.isoformat()}, {"spec.proposal.since": "must be an instant before until, and in the past"}),
        (
            {"until": MAY.isoformat()},
            {"spec.proposal.until": "must be in the past; from now on a binding says who pays"},
        ),
        (
            {"since": (JANUARY - DAY).isoformat()},
            {"spec.proposal.since": "project shop was created at 2026-01-01T00:00:00.000000Z"},
        ),
    ],
)
def test_a_span_that_cannot_be_corrected_is_refused(shop: Shop, change: Any, message: Any) -> None:
    with refused(Invalid) as caught:
        make.a_request(shop.emea, "CorrectPayer", proposal=shop.proposal() | change)
    assert messages_of(caught) == message


def test_the_payer_throughout_has_nothing_to_correct(shop: Shop) -> None:
    with refused(Invalid) as caught:
        shop.ask(shop.us)
    assert messages_of(caught) == THROUGHOUT
    with refused(Invalid) as caught:
        shop.ask(shop.us, FEBRUARY, None)
    assert set(causes_of(caught)) == {"spec.proposal.since", "spec.proposal.until"}
    assert messages_of(caught)["spec.proposal.until"].startswith("is required: us pays already, by binding shop-us")


def test_a_locked_payer_stays_and_its_past_is_corrected_all_the_same(shop: Shop) -> None:
    lock_payer(shop.project.pk, reason="regulated workload", actor=make.PLATFORM)
    with refused(Invalid) as caught:
        shop.ask(None, FEBRUARY, None)
    assert set(messages_of(caught)) == {"spec.proposal.project"}
    assert "unlock it first" in messages_of(caught)["spec.proposal.project"]
    shop.correct()
    assert (shop.payer(FEBRUARY), shop.payer(APRIL)) == ("emea", "us")


def test_a_correction_reaches_13_months_back(shop: Shop, clock: Clock) -> None:
    clock(datetime(2027, 3, 1, tzinfo=UTC))
    with refused(Invalid) as caught:
        shop.ask(None, FEBRUARY - MICROSECOND, MARCH)
    assert messages_of(caught) == {"spec.proposal.since": "must be at most 13 months back"}
    shop.ask(None, FEBRUARY, MARCH)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"since": "0001-01-01T00:00:00Z"}, "since"),
        ({"since": "0001-01-01T00:00:00+23:59"}, "since"),
        ({"until": "9999-12-31T23:59:59Z"}, "until"),
        ({"until": "9999-12-31T23:59:59-23:59"}, "since"),
    ],
)
def test_a_span_without_end_is_refused_before_its_months_are_looked_at(
    shop: Shop, change: dict[str, str], field: str
) -> None:
    with refused(Invalid) as caught, CaptureQueriesContext(connection) as queries:
        make.a_request(shop.emea, "CorrectPayer", proposal=shop.proposal() | change)
    assert set(messages_of(caught)) == {f"spec.proposal.{field}"}
    assert len(queries) < 40


def test_every_reason_against_a_correction_is_given_at_once(shop: Shop, clock: Clock) -> None:
    archive_project(shop.project.pk, actor=make.PLATFORM)
    archived = precise_instant(shop.project.history.latest().phase_since)
    clock(MAY)
    other = make.a_ready_account(shop.organization, "euro", currency_code="EUR")
    make.in_phase(other, "Provisioning")
    with refused(Invalid) as caught:
        shop.ask(other, JANUARY - DAY, APRIL + DAY)
    assert messages_of(caught) == {
        "spec.billingAccountRef.name": "a Provisioning account cannot answer for usage of the past",
        "spec.proposal.since": "project shop was created at 2026-01-01T00:00:00.000000Z",
        "spec.proposal.until": f"project shop was archived at {archived}",
        "spec.proposal.currencyDiffers": "must be true, to acknowledge that us bills in USD and euro in EUR",
    }


def test_another_currency_is_acknowledged(shop: Shop) -> None:
    euro = make.a_ready_account(shop.organization, "euro", currency_code="EUR")
    shop.correct(euro, currencyDiffers=True)
    assert shop.payer(FEBRUARY) == "euro"


@pytest.mark.parametrize("phase", ["Suspended", "Closed"])
def test_an_account_that_was_suspended_or_closed_answers_for_its_past(shop: Shop, phase: str) -> None:
    make.in_phase(shop.emea, phase)
    shop.correct()
    assert shop.payer(FEBRUARY) == "emea"


def test_an_account_that_can_no_longer_be_reopened_does_not(shop: Shop, clock: Clock) -> None:
    make.in_phase(shop.emea, "Closed")
    clock(APRIL + 91 * DAY)
    with refused(Invalid) as caught:
        shop.ask()
    assert messages_of(caught)["spec.billingAccountRef.name"].startswith("the time to reopen it ended on")


def test_an_archived_payer_of_the_span_is_not_touched(shop: Shop, clock: Clock) -> None:
    make.a_binding(shop.project, shop.emea)
    make.in_phase(shop.us, "Archived")
    clock(MAY)
    with refused(Invalid) as caught:
        shop.ask()
    assert messages_of(caught) == {"spec.proposal.since": "us, which paid in this span, is Archived"}


def test_sums_whose_events_are_gone_are_not_restated(shop: Shop) -> None:
    with tamper.guards_off():
        UsageEvent.objects.filter(time__lt=MARCH)._raw_delete("default")
    with refused(Invalid) as caught:
        shop.ask()
    message = "the events of 2026-02 are archived: the figures can no longer be restated"
    assert messages_of(caught) == {"spec.proposal.since": message}
    shop.ask(None, MARCH, APRIL)


def test_a_project_has_one_pending_correction(shop: Shop) -> None:
    pending = shop.ask()
    third = make.a_ready_account(shop.organization, "third")
    with refused(Invalid) as caught:
        shop.ask(third, MARCH, APRIL)
    assert messages_of(caught) == {
        "spec.proposal.project": f"request {pending.name} about project shop is pending already"
    }
    withdraw(pending.pk, comment="a mistake", actor=make.REQUESTER)
    shop.ask(third, MARCH, APRIL)


def test_corrections_of_two_projects_wait_side_by_side_on_one_account(shop: Shop) -> None:
    with make.created_at(JANUARY):
        search = make.a_project(shop.organization, "search")
    requests = [shop.ask(), make.a_request(shop.emea, "CorrectPayer", proposal=shop.proposal(project=search.name))]
    for request in requests:
        approve(request.pk, actor=SECOND_APPROVER)
    assert PayerCorrection.objects.count() == 2


def test_accounts_and_project_show_that_it_happened_and_people_are_told(shop: Shop) -> None:
    make.a_person(roles={shop.organization: "billing-admin"}, email="admin@acme-corp.example")
    counts = [revisions(row) for row in (shop.us, shop.emea, shop.project)]
    correction = shop.correct()
    says = "emea pays for shop from 2026-02-01T00:00:00+00:00 until 2026-03-01T00:00:00+00:00"
    for account, kind in ((shop.emea, "PayerCorrection"), (shop.us, "BillingAccount")):
        events = [event for event in timeline(account)[0] if event.reason == "PayerCorrected"]
        assert [(event.kind, event.message, event.approval) for event in events] == [
            (kind, says, correction.request.uid)
        ]
    assert_history_explains(shop.us)
    assert all(revisions(row) != before for row, before in zip((shop.us, shop.emea, shop.project), counts, strict=True))
    notices = Notice.objects.filter(about="PayerCorrected", cause_uid=correction.request.uid)
    told = {(notice.recipient, notice.account.name, notice.project and notice.project.name) for notice in notices}
    assert told == {
        ("admin@acme-corp.example", "us", None),
        ("admin@acme-corp.example", "emea", None),
        ("shop@acme-corp.example", "emea", "shop"),
    }
    moved = [{"account": "us", "meter": "compute cpu-time", "quantity": "1", "unit": "s"}]
    assert all(notice.context["moved"] == moved for notice in notices)


@pytest.mark.django_db(transaction=True)
def test_usage_that_arrives_during_an_approval_counts_once_and_makes_it_stale_or_follows() -> None:
    organization = make.an_organization()
    us, emea = make.a_ready_account(organization), make.a_ready_account(organization)
    project = make.a_project(organization)
    make.a_binding(project, us)
    start = timezone.now()
    taken(an_event(project, "1", time=start))
    proposal = {"project": project.name, "since": start.isoformat(), "until": timezone.now().isoformat()}
    request = make.a_request(emea, "CorrectPayer", proposal=proposal)
    acts: list[Callable[[], Any]] = [partial(approve, request.pk, actor=make.APPROVER)]
    acts += [partial(report, [an_event(project, "2", time=start)], actor=REPORTER) for _ in range(3)]
    approved, *receipts = at_once(acts)
    assert type(approved) in (ApprovalRequest, StaleReview)
    assert [type(receipt) for receipt in receipts] == [Receipt] * 3
    corrected = isinstance(approved, ApprovalRequest)
    assert [paid(rollup(), account) for account in (us, emea)] == ([0, 7] if corrected else [7, 0])
    assert_rollup_is_a_recount()
    assert connection.vendor == "sqlite" or PayerCorrection.objects.count() == corrected


def test_a_month_that_is_closed_of_an_account_with_withdrawn_usage_stays(shop: Shop, clock: Clock) -> None:
    close_month(shop.us.pk, date(2026, 2, 28), reason="invoiced", actor=make.PLATFORM)
    shop.correct()
    close_month(shop.us.pk, date(2026, 3, 31), reason="invoiced", actor=make.PLATFORM)
    figures = rollup(account=shop.us)
    clock(MAY)
    shop.correct(shop.us)
    assert figures.items() <= rollup(account=shop.us).items()
    assert shop.sums()["us", "02", "04"] == one(1)
    assert_rollup_is_a_recount()
