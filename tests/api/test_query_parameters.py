"""Query parameters are as strict as bodies, at every address that has its own."""

from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.serializers import CharField

from milo.kube import queries
from milo.kube.fields import CountField, DayField, InstantField, NamesField
from milo.kube.kinds import Action, Kind, ReadSubresource, all_kinds
from projects.models import Organization
from tests.api.client import ACCOUNTS, BILLING, PROJECTS, Api, nothing_changes
from tests.support import make
from tests.support.payer_changes import a_payer_change

pytestmark = pytest.mark.once

READINGS = [(kind, reading) for kind in all_kinds() for reading in kind.read_subresources]
ACTS = [(kind, act) for kind in all_kinds() for act in kind.actions]
NAMES = {"organizations": "acme-corp", "projects": "webapp", "billingaccounts": "us", "payerchanges": "plan"}
# of each form that Python reads as a day or an instant and that RFC 3339 does not know
NO_DAYS = [
    "20260101",
    "2026-W01-1",
    "2026W011",
    "2026-1-1",
    "2026-02-30",
    "2026-01-01T00:00:00Z",
    "\u0662\u0660\u0662\u0666-01-01",
    "localtime",
]
NO_INSTANTS = ["2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00Z", "20260101T000000Z", "2026-W01-1T00:00:00Z"]
NO_INSTANTS += ["2026-01-01 00:00:00Z", "2026-01-01T00:00:00+0200", "2026-01-01T00:00:60Z", "now", "1767225600"]
NO_INSTANTS += ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
NO_COUNTS = ["1_0", " 5", "5.0", "\u0665", "1e1", "+5", "9" * 10]


def name(of: Any) -> str:
    return str(getattr(of, "name", "") or of.kind)


@pytest.fixture
def staff(organization: Organization) -> Api:
    project = make.a_project(organization, "webapp")
    make.a_binding(project, make.a_ready_account(organization, "us"))
    a_payer_change(make.a_ready_account(organization, "eu"), project, name="plan")
    return Api.of(make.a_person("operator", groups=("finance-operator",)))


def address(kind: Kind, of: ReadSubresource | Action) -> str:
    root = f"/apis/{kind.group}/{kind.version}" + ("/namespaces/acme-corp" if kind.namespaced else "")
    return f"{root}/{kind.plural}/{NAMES.get(kind.plural, 'none')}/{of.name}"


@pytest.mark.parametrize(("kind", "reading"), READINGS, ids=name)
def test_a_reading_refuses_what_it_does_not_know_and_names_what_it_does(
    staff: Api, kind: Kind, reading: ReadSubresource
) -> None:
    fields = reading.parameters().fields
    answer = staff.get(f"{address(kind, reading)}?timezone=UTC")
    answer.refused(422, "Invalid")
    message = answer.causes()["query.timezone"]
    assert all(name in message for name in fields)
    for name, field in fields.items():
        answer = staff.get(f"{address(kind, reading)}?{name}=1&{name}=1")
        answer.refused(422, "Invalid")
        if not isinstance(field, NamesField):
            assert answer.causes()[f"query.{name}"] == "is given 2 times: give it once"


@pytest.mark.parametrize(("kind", "reading"), READINGS, ids=name)
def test_no_address_takes_free_text_because_proxies_log_addresses(kind: Kind, reading: ReadSubresource) -> None:
    fields = reading.parameters().fields
    # a time zone of the tz database, and the cursor that the server made
    texts = {name for name, field in fields.items() if type(field) is CharField} - {"timeZone", "continue"}
    assert texts == set()


@pytest.mark.parametrize(("kind", "reading"), READINGS, ids=name)
def test_a_reading_takes_days_instants_and_numbers_in_one_form(
    staff: Api, kind: Kind, reading: ReadSubresource
) -> None:
    wrong: dict[type[Any], list[str]] = {DayField: NO_DAYS, InstantField: NO_INSTANTS, CountField: NO_COUNTS}
    for name, field in reading.parameters().fields.items():
        assert type(field).__name__ not in ("DateField", "DateTimeField", "IntegerField")
        for value in wrong.get(type(field), []):
            answer = staff.get(f"{address(kind, reading)}?{name}={quote(value)}")
            answer.refused(422, "Invalid")
            assert f"query.{name}" in answer.causes(), value


@pytest.mark.parametrize(("kind", "act"), ACTS, ids=name)
def test_a_misspelt_dry_run_of_an_act_writes_nothing(staff: Api, kind: Kind, act: Action) -> None:
    with nothing_changes():
        answer = staff.post(f"{address(kind, act)}?dryrun=All", {"spec": dict(act.example)})
    assert answer.code in (403, 404, 405, 422)
    if answer.code == 422:
        assert "dryRun" in answer.causes()["query.dryrun"]


def test_an_act_is_refused_for_an_unknown_parameter(staff: Api) -> None:
    spec = {"spec": {"reasonCode": "ManualReview", "message": "under review"}}
    with nothing_changes():
        answer = staff.post(f"{ACCOUNTS}/us/suspend?dryrun=All", spec)
        answer.refused(422, "Invalid")
    assert set(answer.causes()) == {"query.dryrun"}
    staff.post(f"{ACCOUNTS}/us/suspend?dryRun=All&timeout=5s&fieldManager=kubectl", spec).done()


def test_a_file_of_usage_is_as_strict(staff: Api) -> None:
    path = f"{BILLING}/namespaces/acme-corp/billingaccounts/us/usage/focus"
    for query in ("period=2026-01&from=2026-01-01", "period=2026-01&period=2026-02", "period=202601", "period=2026-1"):
        answer = staff.get(f"{path}?{query}")
        answer.refused(422, "Invalid")
    for month in ("2026-W1", "2026W01", "", "2026-13", "1899-12", "9000-01", "9999-12"):
        staff.get(f"{path}?period={month}").refused(422, "Invalid")
    assert "between 1900-01-01 and 9000-01-01" in staff.get(f"{path}?period=9000-01").causes()["query.period"]


def test_groups_may_be_repeated_or_separated_by_commas(staff: Api) -> None:
    path = f"{ACCOUNTS}/us/usage"
    for query in ("groupBy=service,meter", "groupBy=service&groupBy=meter", "groupBy=service, meter&groupBy=meter"):
        assert staff.get(f"{path}?{quote(query, '=&,')}").done()["groupBy"] == ["service", "meter"]
    assert set(staff.get(f"{path}?groupBy=service&groupBy=colour").causes()) == {"query.groupBy"}


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules", "utc+2", "Mars/Olympus", ""])
def test_a_time_zone_is_one_of_the_database_of_time_zones(staff: Api, zone: str) -> None:
    answer = staff.get(f"{ACCOUNTS}/us/usage?timeZone={quote(zone)}")
    answer.refused(422, "Invalid")
    assert set(answer.causes()) == {"query.timeZone"}


def test_what_kubectl_sends_by_itself_is_taken_everywhere(staff: Api) -> None:
    for path in (f"{ACCOUNTS}/us/usage", f"{PROJECTS}/webapp/billinghistory", f"{ACCOUNTS}/us/closurechecklist"):
        staff.get(f"{path}?timeout=5s&pretty=true").done()
    for path in (ACCOUNTS, f"{ACCOUNTS}/us", "/api/v1/namespaces", f"{PROJECTS}/webapp/status"):
        query = "limit=500&timeout=32s&pretty=true&resourceVersionMatch=NotOlderThan&resourceVersion=0"
        answer = staff.get(f"{path}?{query}")
        answer.done()
        assert "Warning" not in answer.headers


def test_lists_and_objects_ignore_as_kubernetes_does_what_they_do_not_know_and_warn_of_it(staff: Api) -> None:
    for path in (ACCOUNTS, f"{ACCOUNTS}/us", "/api/v1/namespaces", "/api/v1/events"):
        answer = staff.get(f"{path}?labelselector=tier%3Dx")
        answer.done()
        assert answer.headers["Warning"] == '299 - "unknown query parameter labelselector is ignored"'


@pytest.mark.parametrize("spelling", ["dryrun", "DryRun", "dry_run", "dry-run"])
def test_a_misspelt_dry_run_of_an_object_writes_nothing(staff: Api, spelling: str) -> None:
    body = staff.get(f"{ACCOUNTS}/us").done()
    body["spec"]["displayName"] = "Renamed"
    new = {**body, "metadata": {"name": "new"}, "status": {}}
    patch = {"spec": body["spec"]}
    query = f"{spelling}=All"
    with nothing_changes():
        for answer in (
            staff.post(f"{ACCOUNTS}?{query}", new),
            staff.put(f"{ACCOUNTS}/us?{query}", body),
            staff.patch(f"{ACCOUNTS}/us?{query}", patch),
        ):
            answer.refused(422, "Invalid")
            assert answer.causes() == {f"query.{spelling}": "is unknown; dryRun is meant"}
    answer = staff.patch(f"{ACCOUNTS}/us?source=ci", patch)
    assert answer.done()["spec"]["displayName"] == "Renamed"
    assert answer.headers["Warning"] == '299 - "unknown query parameter source is ignored"'


@pytest.mark.parametrize("name", ["labelSelector", "fieldSelector", "limit", "resourceVersion", "watch", "continue"])
def test_lists_refuse_a_parameter_given_twice(staff: Api, name: str) -> None:
    staff.get(f"{ACCOUNTS}?{name}=1&{name}=1").refused(400, "BadRequest")


def test_the_parameters_that_are_always_taken_are_no_fields_of_a_reading() -> None:
    assert all(not queries.ALWAYS & reading.parameters().fields.keys() for _kind, reading in READINGS)


NO_DATES = [value for value in NO_DAYS if value != "localtime"]


@pytest.mark.parametrize("day", NO_DATES)
def test_a_day_in_a_body_has_the_same_form(organization: Organization, day: str) -> None:
    make.a_ready_account(organization, "us")
    reporter = Api.of(make.a_person("reporter", groups=("charge-reporter",)))
    charge = {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "Charge",
        "metadata": {"name": "c"},
        "spec": {
            "billingAccountRef": {"name": "us"},
            "externalId": "1",
            "amount": "1",
            "currencyCode": "USD",
            "dueDate": day,
        },
    }
    with nothing_changes():
        answer = reporter.post(f"{BILLING}/namespaces/acme-corp/charges", charge)
        answer.refused(422, "Invalid")
    assert set(answer.causes()) == {"spec.dueDate"}
