"""`/metrics`: each metric is documented, tells nothing of any object, and counts what has happened."""

import re
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from billing.models import BillingAccount, Notice
from billing.services.affiliations.facts import activate_due
from billing.services.notices.deliveries import deliver_due
from billing.services.payer_changes.facts import move_due
from billing.services.suspensions import suspend
from billing.services.usage.intake import report
from billing.tasks import inspect_ledger, inspect_whole_ledger
from milo import audit, health, outages
from milo.dev import metrics_page
from milo.errors import Busy, Invalid
from milo.ledger.models import Inspection
from milo.metrics.collectors import Collectors, DatabaseCollector
from milo.metrics.declared import RowGauge, all_declared
from milo.schedules import runs
from projects.models import Organization, Project
from tests.support import make, tamper
from tests.support.affiliations import Months, an_affiliation, in_months
from tests.support.live import Live
from tests.support.payer_changes import a_payer_change
from tests.support.threads import attempt
from tests.support.usage import REPORTER, an_event

__all__ = ["in_months"]
pytestmark = pytest.mark.django_db
ACCOUNTS = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts"
ROUTE = "apis/billing.milo.io/v1alpha1/namespaces/<str:namespace>/billingaccounts"


def metrics() -> dict[str, float]:
    text = Client().get("/metrics").content.decode()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _space, value in (line.rpartition(" ") for line in lines)}


@contextmanager
def counted(capture: Any, **expected: float) -> Iterator[None]:
    """Assert by how much metrics grow, of what is committed inside; `expected` are sums over labels by name."""

    def sums() -> dict[str, float]:
        shown = metrics()
        return {name: sum(shown[each] for each in shown if each.partition("{")[0] == name) for name in expected}

    before = sums()
    with capture(execute=True):
        yield
    after = sums()
    assert {name: after[name] - before[name] for name in expected} == expected


def grown(before: dict[str, float], name: str) -> float:
    return metrics().get(name, 0) - before.get(name, 0)


def test_the_page_lists_every_metric() -> None:
    page = (settings.BASE_DIR / "docs/metrics.md").read_text()
    assert page == metrics_page.page(), "run .venv/bin/python -m milo.dev.metrics_page"


def test_what_is_shown_is_declared() -> None:
    text = Client().get("/metrics").content.decode()
    shown = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    declared = {each.name: each.type for each in all_declared()}
    # Prometheus' text format has no type for a histogram of what is there, whose sum and count may fall
    sums = {f"{name}_g{part}" for name, kind in declared.items() if kind == "histogram" for part in ("count", "sum")}
    assert {name: kind for name, kind in shown.items() if declared.get(name) != kind and name not in sums} == {}
    assert len(shown) > 25


def test_names_follow_the_conventions_of_prometheus() -> None:
    for each in all_declared():
        assert re.fullmatch(r"milo_[a-z_]+", each.name)
        assert (each.type == "counter") == each.name.endswith("_total"), each.name
        assert not re.search(r"milliseconds|minutes|_ms\b|kilobytes", each.name)


def test_each_check_tells_what_it_found_and_when_it_last_found_nothing() -> None:
    account = make.a_ready_account(make.an_organization())
    call_command("ledger", "seal")
    call_command("ledger", "verify")
    inspect_ledger()
    shown = metrics()
    assert {name: shown[f'milo_ledger_violations{{check="{name}"}}'] for name in ("continuity", "verify", "seal")} == {
        "continuity": 0,
        "verify": 0,
        "seal": 0,
    }
    succeeded = Inspection.objects.get(name="verify").succeeded_at
    assert succeeded
    assert shown['milo_ledger_check_success_timestamp_seconds{check="verify"}'] == pytest.approx(succeeded.timestamp())
    assert (shown["milo_ledger_seals"], shown["milo_ledger_heads_owed"]) == (1, 0)
    with tamper.guards_off():
        tamper.alter(BillingAccount.objects.get(pk=account.pk), net_days=90)
    inspect_whole_ledger()
    assert metrics()['milo_ledger_violations{check="history"}'] == 1


def test_the_last_runs_of_schedules_are_shown() -> None:
    for name in ("canary", "verify-ledger", "seal-ledger"):
        runs.last_run(name)
    runs.record_success("canary")
    runs.record_failure("seal-ledger", ValueError())
    shown, now = metrics(), timezone.now().timestamp()
    assert shown['milo_schedule_success_timestamp_seconds{schedule="canary"}'] == pytest.approx(now, abs=60)
    assert shown['milo_schedule_failure_timestamp_seconds{schedule="seal-ledger"}'] == pytest.approx(now, abs=60)
    assert 'milo_schedule_success_timestamp_seconds{schedule="seal-ledger"}' not in shown
    assert shown['milo_schedule_sent_timestamp_seconds{schedule="verify-ledger"}'] == pytest.approx(now, abs=60)
    intervals = {
        name: shown[f'milo_schedule_interval_seconds{{schedule="{name}"}}'] for name in settings.CELERY_BEAT_SCHEDULE
    }
    assert {name: intervals[name] for name in ("canary", "verify-ledger")} == {"canary": 30, "verify-ledger": 86400}


def test_metrics_say_nothing_of_any_object() -> None:
    account = make.a_ready_account(make.an_organization("acme-corp"))
    with tamper.guards_off():
        tamper.alter(account, net_days=90)
    inspect_ledger()
    Client().get(f"{ACCOUNTS}/{account}")
    assert b"acme" not in Client().get("/metrics").content


def test_accounts_and_projects_are_counted_as_they_are(project: Project, account: BillingAccount) -> None:
    make.an_incomplete_account(project.organization)
    make.a_project(project.organization)
    shown = metrics()
    phases = {phase: shown[f'milo_billing_accounts{{phase="{phase}"}}'] for phase in BillingAccount.Phase.values}
    assert {phase: number for phase, number in phases.items() if number} == {"Ready": 1, "Incomplete": 1}
    assert shown["milo_unbound_projects"] == 2
    make.a_binding(project, account)
    assert metrics()["milo_unbound_projects"] == 1


def test_a_bind_is_counted_once_it_is_committed(
    project: Project, account: BillingAccount, django_capture_on_commit_callbacks: Any
) -> None:
    other = make.a_ready_account(project.organization)
    before = metrics()
    with counted(django_capture_on_commit_callbacks, milo_binds_total=2):
        make.a_binding(project, account)
        make.a_binding(project, other)
    assert grown(before, 'milo_binds_total{result="bound"}') == 1
    with counted(django_capture_on_commit_callbacks, milo_binds_total=0):
        with pytest.raises(Invalid):
            make.a_binding(project, other)
        with audit.dry_run():
            make.a_binding(project, account)


def test_usage_is_counted_by_what_became_of_it(project: Project, django_capture_on_commit_callbacks: Any) -> None:
    before = metrics()
    event = an_event(project)
    with django_capture_on_commit_callbacks(execute=True):
        report([event, event, an_event(project, "many"), an_event(project)], actor=REPORTER)
    results = {"accepted": 2, "duplicate": 1, "rejected": 1}
    assert {each: grown(before, f'milo_usage_events_total{{result="{each}"}}') for each in results} == results
    # nobody pays for the project
    assert metrics()["milo_usage_unassigned_events"] == 2


def test_approvals_are_counted_by_action_and_age(account: BillingAccount) -> None:
    make.a_request(account)
    shown = metrics()
    assert shown['milo_approval_requests_pending{action="ReviseTerms"}'] == 1
    assert shown['milo_approval_requests_pending{action="Close"}'] == 0
    assert shown['milo_approval_request_age_seconds_bucket{le="3600"}'] == 1
    assert shown["milo_approval_request_age_seconds_gcount"] == 1
    assert 0 <= shown["milo_approval_request_age_seconds_gsum"] < 3600


def test_the_outbox_is_counted_until_it_is_delivered(invoiced_account: BillingAccount) -> None:
    suspend(invoiced_account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    shown = metrics()
    assert shown['milo_outbox_depth{outbox="notices"}'] == shown['milo_notices{phase="Pending"}'] == 1
    assert shown['milo_outbox_depth{outbox="announcements"}'] == 1
    assert shown['milo_outbox_oldest_age_seconds{outbox="notices"}'] > 0
    deliver_due()
    assert len(mail.outbox) == 1
    shown = metrics()
    assert (shown['milo_outbox_depth{outbox="notices"}'], shown['milo_notices{phase="Delivered"}']) == (0, 1)
    assert shown['milo_outbox_oldest_age_seconds{outbox="notices"}'] == 0


def test_projects_whose_payer_change_is_due_are_counted_until_they_have_moved(invoiced_account: BillingAccount) -> None:
    projects = [make.a_project(invoiced_account.organization) for _ in range(2)]
    a_payer_change(invoiced_account, *projects, effective_at=None)
    a_payer_change(invoiced_account, make.a_project(invoiced_account.organization))
    shown = metrics()
    assert shown['milo_payer_changes{phase="Scheduled"}'] == 2
    assert shown['milo_outbox_depth{outbox="payerchanges"}'] == 2
    assert shown['milo_outbox_oldest_age_seconds{outbox="payerchanges"}'] > 0
    move_due()
    shown = metrics()
    assert shown['milo_payer_changes{phase="Completed"}'] == 1
    assert shown['milo_outbox_depth{outbox="payerchanges"}'] == 0
    assert shown['milo_outbox_oldest_age_seconds{outbox="payerchanges"}'] == 0


def test_affiliations_that_are_due_are_counted_until_they_are_facts(
    invoiced_account: BillingAccount, in_months: Months
) -> None:
    organization = invoiced_account.organization
    child, parent = (make.a_ready_account(organization) for _ in range(2))
    an_affiliation(child, parent, after=1)
    assert metrics()['milo_outbox_depth{outbox="affiliations"}'] == 0
    in_months.go(work=False)
    shown = metrics()
    assert shown['milo_outbox_depth{outbox="affiliations"}'] == 1
    # the age is that of the month: it is the second day of it
    assert shown['milo_outbox_oldest_age_seconds{outbox="affiliations"}'] >= 24 * 3600
    activate_due()
    shown = metrics()
    assert shown['milo_outbox_depth{outbox="affiliations"}'] == 0
    assert shown['milo_outbox_oldest_age_seconds{outbox="affiliations"}'] == 0


def test_notices_that_are_refused_and_dead_letters_are_counted(
    invoiced_account: BillingAccount, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "tests.test_metrics.Refusing"
    suspend(invoiced_account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    deliver_due()
    shown = metrics()
    assert (shown['milo_notices{phase="Pending"}'], shown["milo_notices_refused"]) == (1, 1)
    # nobody waits for it: what waits for the mail server was not attempted
    assert shown['milo_outbox_oldest_age_seconds{outbox="notices"}'] == 0
    monkeypatch.setattr(Notice, "BACKOFF", ())
    Notice.objects.update(due_at=timezone.now())
    deliver_due()
    shown = metrics()
    assert (shown['milo_notices{phase="Dead"}'], shown["milo_notices_refused"]) == (1, 0)


def test_refusals_are_counted_by_rule(organization: Organization) -> None:
    operator = make.a_person(groups=("finance-operator",))
    client, before = Client(headers={"Authorization": f"Bearer {make.a_token(operator)[1]}"}), metrics()

    def refuse(spec: dict[str, Any]) -> None:
        kind = {"apiVersion": "billing.milo.io/v1alpha1", "kind": "BillingAccount"}
        body = {**kind, "metadata": {"name": "eu"}, "spec": {"currencyCode": "EUR", **spec}}
        assert client.post(ACCOUNTS, body, content_type="application/json").status_code in (400, 422)

    registration = {"country": "FR", "number": "FR40303265046"}
    refuse({"preferences": {"country": "FR", "taxRegistrations": [registration]}})
    refuse({"colour": "red", "shape": "round"})
    assert client.get(f"{ACCOUNTS}/nothing").status_code == 404
    reasons = {each for each in metrics() if each.startswith("milo_refusals_total") and grown(before, each)}
    assert 'milo_refusals_total{reason="NotFound",rule=""}' in reasons
    assert 'milo_refusals_total{reason="Invalid",rule="tax.format.FR"}' in reasons
    # what clients write is no label, so that nobody can make any number of them
    assert not any("colour" in each or "nothing" in each for each in reasons), reasons


@pytest.mark.django_db(transaction=True)
def test_a_request_is_counted_by_its_route(live: Live) -> None:
    make.an_organization("acme-corp")
    client = live.client(make.a_person(groups=("finance-operator",)))
    name = f'milo_http_requests_total{{code="200",method="GET",route="{ROUTE}"}}'
    seconds = f'milo_http_request_duration_seconds_count{{method="GET",route="{ROUTE}"}}'
    before = metrics()
    assert [client.get(ACCOUNTS).status_code for _ in range(3)] == [200] * 3
    assert client.get("/surely/nowhere").status_code == 404
    with client.stream("GET", ACCOUNTS, params={"watch": "true", "allowWatchBookmarks": "true"}) as answer:
        # counted when its answer begins, as long as it goes on
        assert answer.status_code == 200
        assert metrics()["milo_watches"] - before["milo_watches"] == 1
        assert (grown(before, name), grown(before, seconds)) == (4, 4)
    assert grown(before, 'milo_http_requests_total{code="404",method="GET",route="-"}') == 1
    # the scrapes of a live server
    shown = client.get("/metrics").text
    assert "nowhere" not in shown
    assert "milo_billing_accounts{" in shown


class Refusing(BaseEmailBackend):
    """A mail server that refuses each message for good."""

    def open(self) -> bool:
        return True

    def send_messages(self, email_messages: Any) -> int:
        raise smtplib.SMTPRecipientsRefused({})


class Faulty(Collector):
    """A collector of one metric, which then raises an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = 0

    def collect(self) -> Iterator[Metric]:
        self.asked += 1
        yield RowGauge("milo_half", "").of(1)
        if self.error:
            raise self.error


def test_a_collector_that_fails_costs_its_own_metrics_only(monkeypatch: pytest.MonkeyPatch) -> None:
    collectors = Collectors()
    collectors.register("faulty", Faulty(RuntimeError("secret")))
    collectors.register("whole", Faulty())
    monkeypatch.setattr(health, "_metrics", collectors)
    shown = metrics()
    assert shown['milo_scrape_collector_success{collector="faulty"}'] == 0
    assert shown['milo_scrape_collector_success{collector="whole"}'] == 1
    assert shown["milo_half"] == 1
    assert b"secret" not in Client().get("/metrics").content


def test_once_the_database_is_away_no_other_collector_asks_it() -> None:
    if connection.vendor != "postgresql":
        return
    collectors, second = Collectors(), Faulty()
    collectors.register("first", Faulty(DatabaseError("connection refused")))
    collectors.register("second", second)
    success = next(metric for metric in collectors.collect() if metric.name == "milo_scrape_collector_success")
    assert [sample.value for sample in success.samples] == [0, 0]
    assert second.asked == 0


@pytest.mark.django_db(transaction=True)
def test_sessions_that_wait_for_a_lock_are_counted(account: BillingAccount) -> None:
    if connection.vendor != "postgresql":
        return

    def wait() -> None:
        with transaction.atomic():
            BillingAccount.objects.select_for_update().get(pk=account.pk)

    def waits() -> float:
        shown = {each.name: each.samples for each in DatabaseCollector().collect()}
        return shown["milo_database_lock_waits"][0].value

    with transaction.atomic():
        BillingAccount.objects.select_for_update().get(pk=account.pk)
        assert waits() == 0
        thread = threading.Thread(target=attempt, args=(wait,))
        thread.start()
        waited = threading.Event()
        for _ in range(100):
            if waits() == 1:
                break
            waited.wait(0.05)
        else:
            pytest.fail("the wait was not counted")
    thread.join(10)
    assert waits() == 0


@pytest.mark.django_db(transaction=True)
def test_an_outage_of_the_database_is_counted_by_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    before = metrics()
    monkeypatch.setattr(outages, "_of_postgresql", lambda _error: Busy("too many others"))
    assert outages.refusal(DatabaseError())
    assert grown(before, 'milo_database_outages_total{answer="TooManyRequests"}') == 1
