from datetime import datetime, timedelta
from typing import Any

import pytest

from milo.kube.store.manifests import precise_instant
from projects.models import Organization, Project
from tests.api.client import BILLING, PROJECTS, Api
from tests.support import make

REQUESTS = f"{BILLING}/namespaces/acme-corp/approvalrequests"
HISTORY = f"{PROJECTS}/webapp/billinghistory"


@pytest.fixture
def timeline(organization: Organization, admin: Api) -> list[dict[str, Any]]:
    """A project paid for by us, then by eu, then archived."""
    project = make.a_project(organization, "webapp")
    make.a_binding(project, make.a_ready_account(organization, "us"), "first")
    make.a_binding(project, make.a_ready_account(organization, "eu"), "second")
    admin.post(f"{PROJECTS}/webapp/archive").done()
    items: list[dict[str, Any]] = admin.get(HISTORY).done()["items"]
    return items


def payers(api: Api, at: str) -> list[str]:
    return [item["account"] for item in api.get(f"{HISTORY}?at={at}").done()["items"]]


def shifted(instant: str, microseconds: int) -> str:
    moved = datetime.fromisoformat(instant) + timedelta(microseconds=microseconds)
    return moved.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_the_time_line_is_told_oldest_first_without_a_gap(timeline: list[dict[str, Any]]) -> None:
    first, second = timeline
    assert first == {
        "binding": "first",
        "account": "us",
        "phase": "Superseded",
        "establishedAt": first["establishedAt"],
        "endedAt": second["establishedAt"],
        "endReason": "Superseded",
        "supersededBy": "second",
    }
    assert (second["account"], second["phase"], second["endReason"]) == ("eu", "Ended", "ProjectArchived")
    assert first["establishedAt"] < first["endedAt"] < second["endedAt"]


def test_who_paid_at_an_instant_is_exact_to_the_microsecond(admin: Api, timeline: list[dict[str, Any]]) -> None:
    first, second = timeline
    start, handover, end = first["establishedAt"], second["establishedAt"], second["endedAt"]
    assert payers(admin, shifted(start, -1)) == []
    assert payers(admin, start) == ["us"]
    assert payers(admin, shifted(handover, -1)) == ["us"]
    assert payers(admin, handover) == ["eu"]
    assert payers(admin, shifted(end, -1)) == ["eu"]
    assert payers(admin, end) == []


def test_a_correction_lies_over_the_bindings_which_are_told_as_they_were(
    admin: Api, operator: Api, timeline: list[dict[str, Any]]
) -> None:
    approver = Api.of(make.a_person("approver", groups=("finance-approver",)))
    first, second = timeline
    start, handover = first["establishedAt"], second["establishedAt"]
    spec = {
        "billingAccountRef": {"name": "eu"},
        "action": "CorrectPayer",
        "justification": "bound by mistake",
        "proposal": {"project": "webapp", "since": start, "until": handover},
    }
    meta = {"apiVersion": "billing.milo.io/v1alpha1", "kind": "ApprovalRequest", "metadata": {"name": "eu-instead"}}
    body = meta | {"spec": spec}
    request = operator.post(REQUESTS, body).done(201)
    assert request["status"]["reviewed"]["payers"] == [{"from": start, "until": handover, "account": "us"}]
    digest = request["status"]["reviewedHash"]
    approver.post(f"{REQUESTS}/eu-instead/approve", {"spec": {"reviewedHash": digest}}).done()
    corrected, unchanged = admin.get(HISTORY).done()["items"]
    (correction,) = corrected.pop("corrections")
    assert [corrected, unchanged] == timeline
    assert correction == {
        "from": start,
        "until": handover,
        "account": "eu",
        "recordedAt": correction["recordedAt"],
        "request": "eu-instead",
    }
    (item,) = admin.get(f"{HISTORY}?at={start}").done()["items"]
    assert (item["binding"], item["account"], item["correctedBy"]) == ("first", "eu", "eu-instead")
    assert item["corrections"] == [correction]
    for known_at, payer in ((shifted(correction["recordedAt"], -1), "us"), (correction["recordedAt"], "eu")):
        assert payers(admin, f"{start}&asKnownAt={known_at}") == [payer]
    (told,) = admin.get(f"{HISTORY}?at={start}&asKnownAt={handover}").done()["items"]
    assert "corrections" not in told


def test_a_time_without_a_binding_that_a_correction_covers_is_told_too(organization: Organization, admin: Api) -> None:
    project = make.a_project(organization, "webapp")
    account = make.a_ready_account(organization, "us")
    make.a_binding(project, make.a_ready_account(organization, "eu"), "first")
    correction = make.a_payer_correction(project, account)
    start, end = (precise_instant(at) for at in (correction.starts_at, correction.ends_at))
    unbound, bound = admin.get(HISTORY).done()["items"]
    assert (unbound["establishedAt"], unbound["endedAt"], bound["binding"]) == (start, end, "first")
    assert [each["account"] for each in unbound["corrections"]] == ["us"]
    assert "corrections" not in bound
    (item,) = admin.get(f"{HISTORY}?at={start}").done()["items"]
    assert item == {**unbound, "account": "us", "correctedBy": correction.request.name}


def test_an_instant_may_be_told_in_any_time_zone(admin: Api, timeline: list[dict[str, Any]]) -> None:
    handover = datetime.fromisoformat(timeline[1]["establishedAt"])
    local = (handover.replace(tzinfo=None) + timedelta(hours=2)).isoformat(timespec="microseconds")
    assert payers(admin, f"{local}%2B02:00") == ["eu"]


@pytest.mark.parametrize("at", ["1900-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_an_instant_before_or_after_all_time_finds_nobody(admin: Api, timeline: list[dict[str, Any]], at: str) -> None:
    assert payers(admin, at) == []


@pytest.mark.parametrize(
    "at",
    [
        "", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "1", "%00", "2026-01-01T00:00:00+00:00",
        "0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "%ff",
    ],
)  # fmt: skip
def test_what_is_no_instant_is_refused(admin: Api, timeline: list[dict[str, Any]], at: str) -> None:
    answer = admin.get(f"{HISTORY}?at={at}")
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == ["query.at"]


def test_a_project_that_nobody_pays_for_has_an_empty_time_line(admin: Api, organization: Organization) -> None:
    make.a_project(organization, "webapp")
    assert admin.get(HISTORY).done()["items"] == []


def test_it_can_be_read_in_yaml(admin: Api, organization: Organization) -> None:
    make.a_project(organization, "webapp")
    answer = admin.get(HISTORY, accept="application/yaml")
    assert answer.code == 200
    assert b"project: webapp\n" in answer.raw


def test_it_is_a_table_where_asked(admin: Api, organization: Organization) -> None:
    make.a_project(organization, "webapp")
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    answer = admin.get(HISTORY, accept=table)
    assert answer.headers["Content-Type"] == table
    assert (answer.done()["kind"], answer.done()["rows"]) == ("Table", [])


def test_a_stranger_finds_no_such_project(stranger: Api, timeline: list[dict[str, Any]]) -> None:
    foreign, missing = stranger.get(HISTORY), stranger.get(HISTORY.replace("webapp", "nothing"))
    foreign.refused(404, "NotFound")
    assert foreign.raw.replace(b"webapp", b"nothing") == missing.raw


def test_an_auditor_reads_it(auditor: Api, timeline: list[dict[str, Any]]) -> None:
    assert auditor.get(HISTORY).done()["items"] == timeline


def test_a_project_of_another_organization_has_a_time_line_of_its_own(
    admin: Api, other: Organization, timeline: list[dict[str, Any]]
) -> None:
    project: Project = make.a_project(other, "theirs")
    make.a_binding(project, make.a_ready_account(other, "us"))
    assert admin.get(HISTORY).done()["items"] == timeline
