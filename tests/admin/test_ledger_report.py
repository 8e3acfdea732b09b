"""Auditors read who did what in one list over all histories; it shows what their pages show, and no more."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from billing.models import BillingAccountBinding, Suspension
from milo import verify
from milo.admin.messages import why
from milo.admin.reasons import reason
from milo.identity.actors import actor_of
from milo.ledger.seals import seal
from milo.ledger.verification import inspect
from projects.models import Project
from projects.services.projects import ProjectSpec, revise_project
from tests.admin.browser import page_of, staff, superuser
from tests.admin.conftest import Life, World
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db
LEDGER = "/admin/identity/login/ledger/"
WHO, KIND, OBJECT, WHY, CHANGES, SEALED = range(6)


def rows(client: Client, **query: str) -> list[list[str]]:
    """The cells of the ledger, without the instant."""
    (panel,) = client.get(LEDGER, query).context["panels"]
    return [[str(cell) for cell in row[1:]] for row in panel.rows]


def test_a_persons_week_is_read_over_all_kinds(life: Life, auditor: Client) -> None:
    found = rows(auditor, person="system:tests")
    assert {row[WHO] for row in found} == {"system:tests"}
    assert {row[KIND] for row in found} >= {"Billing account", "Suspension", "Hold", "Charge", "Project"}
    assert rows(auditor, person="nobody") == []
    person = make.a_person("sasha", is_staff=True, is_superuser=True)
    revise_project(Project.objects.get(name="webapp-frontend").pk, ProjectSpec("Shop"), actor=actor_of(person))
    assert {row[WHO] for row in rows(auditor, person="sasha")} == {"user:sasha"}


def test_it_stands_beside_the_lists_under_its_own_name(auditor: Client) -> None:
    header = auditor.get(LEDGER).content.decode().partition("<h1")[2].partition("</h1>")[0]
    assert "Ledger" in header
    assert "Log-ins" not in header


def test_the_newest_is_first_with_what_it_changed_and_a_link_to_its_history(world: World, auditor: Client) -> None:
    ended, began = rows(auditor, kind="billing.billingaccountbinding")[1::-1]
    assert why("Superseded: acme-eu pays from now on") in (ended[WHY], began[WHY])
    (row,) = [row for row in (ended, began) if "Superseded" in row[WHY]]
    assert "Phase: Active → Superseded" in row[CHANGES]
    assert page_of(world.first, "history") in row[OBJECT]
    assert auditor.get(page_of(world.first, "history")).status_code == 200


def test_it_is_narrowed_to_an_object_by_name_or_uid_an_action_and_a_period(life: Life, auditor: Client) -> None:
    project = Project.objects.get(name="webapp-frontend")
    by_name, by_uid = rows(auditor, object="webapp-frontend"), rows(auditor, object=str(project.uid))
    assert by_name
    assert by_name == by_uid
    assert {row[WHY].partition(": ")[0] for row in rows(auditor, action="SuspensionOpened")} == {
        reason("SuspensionOpened")
    }
    now = timezone.now()
    yesterday, tomorrow = (f"{now + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1))
    assert rows(auditor, since=tomorrow) == rows(auditor, until=yesterday) == []
    backwards = auditor.get(LEDGER, {"since": tomorrow, "until": yesterday}).content.decode()
    assert "before the beginning" in backwards
    assert rows(auditor, since=yesterday, until=f"{now:%Y-%m-%d}")
    assert rows(auditor, since="0001-01-01", until="9999-12-31") == rows(auditor)


def test_pages_follow_each_other_though_all_happened_at_one_instant(world: World, auditor: Client) -> None:
    for _number in range(70):
        make.a_project(world.organization)
    seen, address, pages = list[str](), f"{LEDGER}?kind=projects.project", 0
    while address:
        (panel,) = auditor.get(address).context["panels"]
        seen += [str(row[3]) for row in panel.rows]
        address, pages = panel.following and LEDGER + panel.following, pages + 1
    assert pages == 2
    assert len(seen) == len(set(seen)) == Project.history.count()


def test_a_forged_place_of_a_page_is_refused(world: World, auditor: Client) -> None:
    for after in ("x", "Z0FBQUFBQm", "'; drop table"):
        answer = auditor.get(LEDGER, {"after": after})
        assert (answer.status_code, answer.context["panels"]) == (200, [])
        assert "show the list again" in answer.content.decode()


def test_it_says_what_is_sealed_and_how_the_last_verification_ended(world: World, auditor: Client) -> None:
    assert {row[SEALED] for row in rows(auditor)} == {"awaits a seal"}
    assert "have not been verified yet" in auditor.get(LEDGER).content.decode()
    seal()
    inspect()
    assert {row[SEALED] for row in rows(auditor)} == {"sealed"}
    assert "no faults" in auditor.get(LEDGER).content.decode()


def test_nobody_reads_there_what_their_pages_do_not_show(life: Life, auditor: Client) -> None:
    person = make.a_person("robin", email="robin@milo.example", first_name="Robin")
    person.first_name = "Charlie"
    person.save()
    text = auditor.get(LEDGER).content.decode()
    assert "User changed" in text
    for secret in ("robin@milo.example", "Robin", "Charlie", "sha256"):
        assert secret not in text
    assert staff("finance-operator").get(LEDGER).status_code == 403
    assert superuser().get(LEDGER).status_code == 200


def test_it_takes_as_many_queries_for_many_entries_as_for_few(world: World, auditor: Client) -> None:
    auditor.get(LEDGER)
    counts = []
    for more in (1, 20):
        for _number in range(more):
            make.a_project(world.organization)
        with CaptureQueriesContext(connection) as queries:
            assert auditor.get(LEDGER, {"kind": "projects.project"}).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


def test_it_changes_nothing(life: Life, auditor: Client) -> None:
    with nothing_changes():
        assert auditor.post(LEDGER, {"person": "x"}).status_code in (400, 403, 405)
    assert BillingAccountBinding.objects.count() == 3
    assert Suspension.objects.count() == 1


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_what_is_filtered_is_exported_with_its_proof(suffix: str, life: Life, auditor: Client, tmp_path: Path) -> None:
    seal()
    inspect()
    revise_project(Project.objects.get(name="webapp-frontend").pk, ProjectSpec("Shop"), actor=make.PLATFORM)
    address = f"{LEDGER}?object=webapp-frontend"
    assert f'name="format" value="{suffix}"' in auditor.get(address).content.decode()
    answer: Any = auditor.post(address, {"format": suffix})
    bundle = tmp_path / "ledger.zip"
    bundle.write_bytes(b"".join(answer.streaming_content))
    with zipfile.ZipFile(bundle) as files:
        manifest, table = json.loads(files.read("manifest.json")), files.read(f"ledger.{suffix}")
        proved = [json.loads(line) for line in files.read("rows.jsonl").splitlines()]
    if suffix == "csv":
        head, *listed = list(csv.reader(io.StringIO(table.decode())))
    else:
        head, *listed = [
            list(map(str, row)) for row in load_workbook(io.BytesIO(table)).active.iter_rows(values_only=True)
        ]
    assert head[0] == "When"
    assert not {"-", "'-"} & {cell for row in listed for cell in row}
    shown = rows(auditor, object="webapp-frontend")
    assert [row[1:4] for row in listed] == [[row[WHO], row[KIND], "webapp-frontend"] for row in shown]
    # the newest awaits a seal: it is in the table, and nothing proves it yet
    assert [row[6] for row in listed] == ["awaits a seal", *["sealed"] * (len(listed) - 1)]
    assert len(proved) == len(listed) - 1
    assert {row["table"] for row in proved} == {"projects_historicalproject"}
    assert [row["personal"] for row in proved] == [{}] * len(proved)
    assert manifest["verification"]["violations"] == 0
    assert verify.verify(bundle, [], []).startswith(f"{len(proved)} rows of the selection")
    entry = LogEntry.objects.get()
    assert entry.change_message == f"ListExported: {suffix}, {len(listed)} rows, filtered by object=webapp-frontend"
    assert (entry.user.username, entry.object_repr) == ("auditor", "Ledger")


def test_a_bundle_that_was_altered_proves_nothing(
    life: Life, operator: Client, auditor: Client, tmp_path: Path
) -> None:
    assert auditor.post(LEDGER, {"format": "csv"}).status_code == 302
    assert "is sealed yet" in auditor.get(LEDGER).content.decode()
    seal()
    assert auditor.post(LEDGER, {"format": "exe"}).status_code == 400
    assert operator.post(LEDGER, {"format": "csv"}).status_code == 403
    assert not LogEntry.objects.exists()
    answer: Any = auditor.post(LEDGER, {"format": "csv"})
    (tmp_path / "ledger.zip").write_bytes(b"".join(answer.streaming_content))
    with zipfile.ZipFile(tmp_path / "ledger.zip") as files, zipfile.ZipFile(tmp_path / "forged.zip", "w") as forged:
        for name in files.namelist():
            forged.writestr(name, files.read(name).replace(b"webapp-frontend", b"webapp-backdoor"))
    assert "hold" in verify.verify(tmp_path / "ledger.zip", [], [])
    with pytest.raises(verify.ProofFailed):
        verify.verify(tmp_path / "forged.zip", [], [])
