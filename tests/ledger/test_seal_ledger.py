"""Sealing: everything that is committed is in exactly one seal, whoever commits late, and nobody waits for it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from django.conf import settings as configured
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from milo.celery import app
from milo.kube.metadata import Metadata
from milo.ledger import anchors, frontier, keys, seals
from milo.ledger.canonical import canonical, parse
from milo.ledger.models import Seal
from milo.ledger.tables import all_tables
from milo.ledger.tasks import seal_ledger
from milo.ledger.verification import verify
from tests.attacks.machinery import SQLITE
from tests.support import make
from tests.support.database import as_owner
from tests.support.retention import Failing
from tests.support.threads import at_once

transactional = pytest.mark.django_db(transaction=True)
PAST = BillingAccount.history.model


@pytest.mark.django_db
def test_a_seal_has_every_row_of_every_history_and_of_the_change_log_once() -> None:
    organization = make.an_organization()
    make.a_binding(make.a_project(organization), make.a_ready_account(organization))
    written = {table.name: table.model._base_manager.count() for table in all_tables()}
    assert seals.seal() == sum(written.values()) > 0
    assert {name: part["rows"] for name, part in Seal.objects.get().tables.items()} == written
    assert seals.seal() == 0
    assert Seal.objects.count() == 1


@pytest.mark.django_db
def test_each_seal_is_chained_signed_and_handed_over(settings: Any) -> None:
    organization = make.an_organization()
    seals.seal()
    make.a_ready_account(organization)
    seals.seal()
    first, second = Seal.objects.order_by("number")
    assert (first.previous, second.previous) == ("", first.digest)
    assert keys.is_signed(second.digest, second.signature, keys.public_keys()[second.key_id])
    assert first.handed_over_at
    assert second.handed_over_at


@pytest.mark.django_db
def test_much_at_once_takes_several_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "LIMIT", 2)
    organization = make.an_organization()
    for _ in range(3):
        make.a_ready_account(organization)
    seals.seal()
    assert Seal.objects.count() > 2
    assert verify().faults == []
    assert verify().unsealed == 0


@pytest.mark.django_db
def test_the_background_seals_every_minute() -> None:
    (entry,) = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == seal_ledger.name]
    assert entry["schedule"] == 60
    make.an_organization()
    assert seal_ledger() > 0


@transactional
def test_who_commits_late_is_waited_for_and_who_comes_meanwhile_waits_for_nobody() -> None:
    """SQLite has one writer, so nobody overtakes anybody there."""
    organization = make.an_organization()
    late, early = (make.a_ready_account(organization) for _ in range(2))
    seals.seal()
    written, overtaken, committed = (threading.Event() for _ in range(3))

    def hold_open() -> None:
        with as_owner(), transaction.atomic():
            # keys are taken here, as in an act that has not numbered its revisions yet
            row = PAST.objects.filter(id=late.pk).latest("pk")
            row.pk, row.history_date = None, timezone.now()
            row.save(force_insert=True)
            written.set()
            if connection.vendor != SQLITE:
                assert committed.wait(10)

    def overtake() -> None:
        assert written.wait(10)
        revise(early.pk, AccountSpec.of(early), Metadata(labels={"early": "yes"}), actor=make.PLATFORM)
        if connection.vendor != SQLITE:
            with pytest.raises(frontier.WritersBusy):
                frontier._await_writers(0.1)
        overtaken.set()

    def meanwhile() -> None:
        assert overtaken.wait(10)
        make.a_ready_account(organization)
        committed.set()

    def seal() -> None:
        assert overtaken.wait(10)
        seals.seal()

    assert at_once([hold_open, overtake, meanwhile, seal]) == [None] * 4
    seals.seal()
    report = verify()
    assert (report.faults, report.unsealed) == ([], 0)
    sealed = sum(seal.tables[PAST._meta.db_table]["rows"] for seal in Seal.objects.all())
    assert sealed == PAST.objects.count()


class Kept(BaseHTTPRequestHandler):
    bodies: list[Any] = []
    status = 200

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.bodies.append((self.headers["Authorization"], json.loads(self.rfile.read(length))))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.mark.django_db
def test_a_webhook_is_given_every_head_and_what_it_refused_again(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = HTTPServer(("127.0.0.1", 0), Kept)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        settings.MILO_LEDGER_ANCHOR = "milo.ledger.anchors.WebhookAnchor"
        settings.MILO_LEDGER_ANCHOR_OPTIONS = {"url": f"http://127.0.0.1:{server.server_port}/", "token": "secret"}
        make.an_organization()
        # who follows the redirect has not handed anything over
        for status in (503, 302):
            monkeypatch.setattr(Kept, "status", status)
            seals.seal()
            assert Seal.objects.filter(handed_over_at=None).count() == 1
        monkeypatch.setattr(Kept, "status", 200)
        assert anchors.hand_over() == 1
    finally:
        server.shutdown()
        server.server_close()
    authorization, heads = Kept.bodies[-1]
    assert authorization == "Bearer secret"
    assert heads == [anchors.head_of(Seal.objects.get())]


@pytest.mark.django_db
def test_a_storage_keeps_each_hand_over_in_a_file_of_its_own_that_verify_reads(settings: Any, tmp_path: Path) -> None:
    settings.MILO_LEDGER_ANCHOR = "milo.ledger.anchors.StorageAnchor"
    settings.MILO_LEDGER_ANCHOR_OPTIONS = {"backend": "tests.support.retention.Failing"}
    Failing.saved, Failing.fail_at = 0, 1
    make.an_organization()
    seals.seal()
    assert Seal.objects.filter(handed_over_at=None).count() == 1
    settings.MILO_LEDGER_ANCHOR_OPTIONS = {
        "backend": "django.core.files.storage.FileSystemStorage",
        "options": {"location": str(tmp_path)},
    }
    for _ in range(2):
        make.an_organization()
        seals.seal()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        "heads-000000000001-000000000002.jsonl",
        "heads-000000000003-000000000003.jsonl",
    ]
    call_command("ledger", "verify", against=files)
    assert Seal.objects.filter(handed_over_at=None).count() == 0


def test_heads_are_not_sent_in_the_clear() -> None:
    with pytest.raises(ValueError, match="https"):
        anchors.WebhookAnchor("http://anchor.example/")
    with pytest.raises(ValueError, match="https"):
        anchors.WebhookAnchor("http://127.0.0.1:80@anchor.example/")


@pytest.mark.once
def test_the_signing_key_is_for_its_owner_only_and_made_once() -> None:
    key = keys.signing_key()
    assert keys.signing_key().private_bytes_raw() == key.private_bytes_raw()
    path = keys._folder() / keys.PRIVATE
    assert path.stat().st_mode & 0o077 == 0
    assert str(path).startswith(configured.MILO_LEDGER_KEYS)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.once
@given(values)
def test_the_fast_form_is_the_canonical_one(value: Any) -> None:
    assert canonical(parse(json.dumps(value))) == rfc8785.dumps(json.loads(json.dumps(value)))
