"""What Milo relies on inside its libraries: it is there, and has the form that it had when this was checked."""

import asyncio
import inspect
import re
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any
from weakref import ReferenceType

import celery.beat
import pytest
import unfold
import uvicorn
from asgiref.testing import ApplicationCommunicator
from django.apps.registry import Apps
from django.contrib.admin import helpers
from django.core import signals
from django.core.handlers.asgi import ASGIHandler
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.postgresql import base
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.backends.sqlite3 import base as base_of_sqlite
from django.db.models.signals import class_prepared
from django.template.loader import get_template
from django_fsm import FSMField, FSMFieldDescriptor
from psycopg_pool import ConnectionPool
from simple_history.admin import SimpleHistoryAdmin
from simple_history.models import HistoricalRecords
from unfold.forms import AdminForm, Fieldline
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from whitenoise.storage import CompressedManifestStaticFilesStorage

from billing.models import BillingAccount
from milo.admin.ledger import LedgerAdmin
from milo.audit.libraries import LibraryHistory
from milo.audit.records import History
from milo.handler import OneHopHandler
from milo.migrating.bursts import _BurstEditor
from milo.phases import PhaseDescriptor, PhaseField
from milo.postgresql.base import DatabaseWrapper, Pool
from milo.schedules.beat import Scheduler
from milo.sqlite import base as turns
from milo.static_files import StaticFilesStorage
from milo.web.protocol import Protocol
from milo.web.server import Server

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted(ROOT.glob("*/templates/**/*.html"))
# Django's is in tests/test_compiled_queries.py
CHECKED_WITH = {
    "celery": "5.7",
    "django-simple-history": "3.13",
    "django-fsm-2": "4.2",
    "django-unfold": "0.91",
    "psycopg-pool": "3.3",
    "uvicorn": "0.54",
}
OVERRIDDEN: dict[tuple[type[Any], type[Any]], str] = {
    (OneHopHandler, ASGIHandler): "__init__ __call__ load_middleware",
    (History, HistoricalRecords): "finalize post_save pre_delete post_delete",
    (LibraryHistory, HistoricalRecords): "post_save pre_delete",
    (PhaseField, FSMField): "__init__ contribute_to_class",
    (PhaseDescriptor, FSMFieldDescriptor): "__set__",
    (_BurstEditor, DatabaseSchemaEditor): "__enter__ __exit__ execute",
    (DatabaseWrapper, base.DatabaseWrapper): "pool",
    (Pool, ConnectionPool): "__init__ reconnect_failed",
    (turns.DatabaseWrapper, base_of_sqlite.DatabaseWrapper): (
        "__init__ get_new_connection create_cursor _commit _rollback _close"
    ),
    (turns.Cursor, base_of_sqlite.SQLiteCursorWrapper): "execute executemany",
    (Scheduler, celery.beat.Scheduler): "__init__ setup_schedule is_due info",
    (Server, uvicorn.Server): "__init__ capture_signals handle_exit on_tick shutdown",
    (Protocol, HttpToolsProtocol): (
        "connection_made connection_lost on_message_begin on_url on_header on_headers_complete"
    ),
    (StaticFilesStorage, CompressedManifestStaticFilesStorage): "stored_name create_compressor",
    (LedgerAdmin, SimpleHistoryAdmin): "history_view history_form_view set_history_delta_changes revert_disabled",
}
CALLED: dict[Any, dict[str, str]] = {
    ASGIHandler: {
        "read_body": "self receive",
        "create_request": "self scope body_file",
        "get_response": "self request",
        "send_response": "self response send",
        "listen_for_disconnect": "self receive",
    },
    ConnectionPool: {"check": "self", "drain": "self", "check_connection": "conn", "get_stats": "self"},
    FSMField: {"set_state": "self instance state", "_collect_transitions": "self args kwargs"},
}


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(inspect.unwrap(function)).parameters)


@pytest.mark.parametrize("library", CHECKED_WITH)
def test_this_was_checked_with_the_version_that_is_installed(library: str) -> None:
    assert version(library).rsplit(".", 1)[0] == CHECKED_WITH[library], (
        f"{library} {version(library)} is installed, and Milo was checked with {CHECKED_WITH[library]}. "
        'Go through docs/architecture.md, "What we rely on inside Django", and then change CHECKED_WITH.'
    )


@pytest.mark.parametrize(("ours", "theirs"), OVERRIDDEN, ids=lambda each: each.__name__)
def test_what_is_overridden_is_there_and_called_as_before(ours: type[Any], theirs: type[Any]) -> None:
    for name in OVERRIDDEN[ours, theirs].split():
        assert hasattr(theirs, name), f"{theirs.__name__} has no {name} any more: nothing calls ours"
        if not callable(getattr(theirs, name)):
            continue
        accepted = parameters(getattr(ours, name))
        if name == "__init__" or any(one.kind is one.VAR_KEYWORD for one in accepted.values()):
            continue
        missing = set(parameters(getattr(theirs, name))) - set(accepted)
        assert not missing, f"{ours.__name__}.{name} does not take {missing}, which {theirs.__name__} is given"


@pytest.mark.parametrize("theirs", CALLED, ids=lambda each: each.__name__)
def test_what_is_called_is_there_and_takes_what_it_took(theirs: type[Any]) -> None:
    for name, taken in CALLED[theirs].items():
        assert list(parameters(getattr(theirs, name))) == taken.split(), f"{theirs.__name__}.{name} has changed"


def test_one_thread_of_the_pool_does_a_whole_request() -> None:
    threads: list[tuple[str, Any]] = []

    def note(sender: Any, **kwargs: Any) -> None:
        threads.append((threading.current_thread().name, sender))

    async def request() -> list[Any]:
        scope = {"type": "http", "method": "GET", "path": "/livez", "headers": [(b"host", b"testserver")]}
        communicator: Any = ApplicationCommunicator
        client = communicator(OneHopHandler(1, 1), scope)
        await client.send_input({"type": "http.request", "body": b""})
        return [await client.receive_output(timeout=30) for _ in range(2)]

    for signal in (signals.request_started, signals.request_finished):
        signal.connect(note)
    try:
        start, body = asyncio.run(request())
    finally:
        for signal in (signals.request_started, signals.request_finished):
            signal.disconnect(note)
    assert (start["status"], body["more_body"]) == (200, False)
    assert threads == [("request_0", OneHopHandler)] * 2


def test_phases_of_models_in_migrations_look_for_no_transitions() -> None:
    def listening(module: str) -> bool:
        meta = type("Meta", (), {"app_label": "fake", "apps": Apps()})
        field = PhaseField()
        type("Row", (models.Model,), {"__module__": module, "Meta": meta, "phase": field})
        return any(
            receiver() == field._collect_transitions
            for _key, receiver, *_rest in class_prepared.receivers
            if isinstance(receiver, ReferenceType)
        )

    assert listening("billing.models")
    assert not listening("__fake__")
    account: Any = BillingAccount()
    assert {found.name for found in account.get_all_phase_transitions()} >= {"suspend", "close"}


def test_a_schema_editor_keeps_what_is_deferred_and_says_whether_it_is_atomic() -> None:
    assert issubclass(base.DatabaseWrapper.SchemaEditorClass, DatabaseSchemaEditor)
    source = inspect.getsource(BaseDatabaseSchemaEditor)
    assert {"deferred_sql", "atomic_migration"} <= set(re.findall(r"self\.(\w+)", source))


def test_a_pool_is_kept_by_alias_and_configures_each_connection() -> None:
    source = inspect.getsource(vars(base.DatabaseWrapper)["pool"].fget)
    assert {"_connection_pools", "_configure_connection"} <= set(re.findall(r"self\.(\w+)", source))


def test_forms_of_the_staff_site_are_drawn_by_unfold() -> None:
    assert (helpers.AdminForm, helpers.Fieldline) == (AdminForm, Fieldline)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_that_a_template_names_are_there(path: Path) -> None:
    get_template(path.relative_to(next(up for up in path.parents if up.name == "templates")).as_posix())
    for name in re.findall(r'{%\s*(?:extends|include|component)\s+"([^"]+)"', path.read_text()):
        get_template(name)


def test_templates_that_replace_those_of_unfold_replace_some() -> None:
    ours = ROOT / "milo" / "templates" / "unfold"
    theirs = Path(unfold.__file__).parent / "templates" / "unfold"
    replaced = [path.relative_to(ours) for path in ours.rglob("*.html")]
    assert replaced
    assert [path for path in replaced if not (theirs / path).is_file()] == []
