"""What the owner of the database does to any table is found, or it is said here why nobody needs to find it.

Generated of the tables there are: one that is neither sealed nor explained fails.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.utils import timezone

from billing.models import (
    AccountPayer,
    BillingAccountBinding,
    Notice,
    UnboundProject,
    UsageEvent,
    UsageKey,
    UsageRollup,
)
from billing.services import unbound
from milo import audit
from milo.ledger import seals
from milo.ledger.live import difference
from milo.ledger.models import Salt, Seal
from milo.ledger.tables import all_tables
from milo.ledger.verification import verify
from tests.attacks import past
from tests.support import make, tamper
from tests.support.usage import an_event, taken

# each engine is verified in test_verify_ledger.py
pytestmark = [pytest.mark.django_db, pytest.mark.once]
NEEDS_NONE = {
    "auth_permission": "names of Django's rights, which no page and no service asks for",
    "django_content_type": "names of models",
    "django_session": "who is logged in at this moment; log-ins are sealed",
    "axes_accessattempt": "wrong passwords that count at this moment; failures are sealed log-ins",
    "axes_accessattemptexpiration": "when they count no more",
    "axes_accessfailurelog": "nothing is written there",
    "axes_accesslog": "nothing is written there",
    "billing_announcement": "an outbox: the revisions that it writes are sealed in the change log",
    "kube_counter": "the number of the last revision; revisions are sealed by their numbers",
    "kube_recordedresponse": "answers of the last 24 hours; what they answer for is sealed",
    "kube_renewal": "how far an upgrade's comparison came; the revisions that it writes are sealed in the change log",
    "identity_savedfilter": "names that people give to filters of their lists; nothing depends on them",
    "ledger_inspection": "the last result of each check, written anew by the next one",
    "schedules_lastrun": "when each schedule was last sent and last succeeded, written anew by the next run",
}


def found_by_verify() -> bool:
    return bool(verify().faults)


def found_by_usage_verify() -> bool:
    return _fails("usage", "verify")


def found_by_hierarchy_verify() -> bool:
    return _fails("hierarchy", "verify")


def found_by_unbound() -> bool:
    return any(unbound.differences())


def list_as_unbound() -> None:
    """List a project that somebody pays for."""
    paid_for = BillingAccountBinding.objects.paying().latest("pk").project
    UnboundProject.objects.create(project=paid_for, created_at=paid_for.created_at)


def _fails(*command: str) -> bool:
    try:
        call_command(*command)
    except CommandError:
        return True
    return False


Tampering = tuple[Callable[[], object], Callable[[], bool]]
OWN: dict[str, list[Tampering]] = {
    "billing_accountpayer": [
        (lambda: AccountPayer.objects.update(payer=F("account")), found_by_hierarchy_verify),
        (lambda: AccountPayer.objects.all()._raw_delete("default"), found_by_hierarchy_verify),
    ],
    "billing_unboundproject": [
        (list_as_unbound, found_by_unbound),
        (lambda: UnboundProject.objects.update(created_at=timezone.now()), found_by_unbound),
        (lambda: UnboundProject.objects.all()._raw_delete("default"), found_by_unbound),
    ],
    "billing_usageevent": [
        (lambda: UsageEvent.objects.update(type="forged"), found_by_verify),
        (lambda: UsageEvent.objects.all()._raw_delete("default"), found_by_verify),
        (lambda: UsageEvent.objects.update(type="forged"), found_by_usage_verify),
    ],
    "billing_usagekey": [
        (lambda: UsageKey.objects.update(content="0" * 32), found_by_verify),
        (lambda: UsageKey.objects.all()._raw_delete("default"), found_by_verify),
    ],
    "billing_usagerollup": [
        (lambda: UsageRollup.objects.update(events=9), found_by_usage_verify),
        (lambda: UsageRollup.objects.all()._raw_delete("default"), found_by_usage_verify),
    ],
    "ledger_seal": [
        (lambda: Seal.objects.update(at=timezone.now()), found_by_verify),
        (lambda: Seal.objects.earliest("pk").delete(), found_by_verify),
    ],
    "ledger_salt": [
        (lambda: Salt.objects.update(key=b"forged"), found_by_verify),
        (lambda: Salt.objects.all()._raw_delete("default"), found_by_verify),
    ],
}
SEALED = {table.name: table for table in all_tables()}
LIVE = {table.recorded._meta.db_table: table for table in all_tables() if table.recorded}
TABLES = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}


@pytest.fixture
def world() -> past.World:
    """Something in every table, sealed."""
    world = past.World()
    project = make.a_project(world.organization)
    make.a_binding(project, world.ready)
    taken(an_event(project), an_event(project, "2.5"))
    LogEntry.objects.create(user=make.a_person(), action_flag=4, object_repr="charges", change_message="ListExported")
    # what the world was made of past the services
    Notice.objects.filter(pk=world.outcome.notice_id).update(phase=world.outcome.phase)
    with audit.transaction():
        for table in LIVE.values():
            while wrong := difference(table):
                audit.save_as(make.PLATFORM, TABLES[wrong.table]._base_manager.get(pk=wrong.row), reason="Made")
    seals.seal()
    return world


@contextmanager
def undone() -> Iterator[None]:
    """What is done inside is undone after it."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_every_table_has_a_detector_or_needs_none() -> None:
    assert set(NEEDS_NONE) | set(OWN) | set(SEALED) | set(LIVE) == set(TABLES)
    assert not set(NEEDS_NONE) & (set(OWN) | set(SEALED) | set(LIVE))


def test_what_the_owner_does_to_any_table_is_found(world: past.World, subtests: pytest.Subtests) -> None:
    assert [str(fault) for fault in verify().faults] == []
    assert not found_by_usage_verify()
    assert not found_by_hierarchy_verify()
    with tamper.guards_off():
        for name, model in TABLES.items():
            if name in NEEDS_NONE:
                continue
            for number, (act, found) in enumerate(OWN.get(name) or _tamperings(model)):
                with subtests.test(table=name, number=number), undone():
                    assert model._base_manager.exists(), "nothing is in it"
                    act()
                    assert found()


def _tamperings(model: type[models.Model]) -> list[Tampering]:
    newest = model._base_manager.latest("pk")
    name = model._meta.db_table
    changing = {*_unrecorded(model), *(SEALED[name].unsealed if name in SEALED else ())}
    texts = (models.CharField, models.TextField, models.ForeignKey)
    column = next(
        column
        for column in model._meta.concrete_fields
        if isinstance(column, texts) and not column.choices and column.name not in changing
    )
    removed: Tampering = (lambda: tamper.remove(newest), found_by_verify)
    return [removed, (lambda: past.rewrite(column).on(None), found_by_verify)]


def test_every_recorded_column_of_a_live_row_is_compared_with_its_history(
    world: past.World, subtests: pytest.Subtests
) -> None:
    with tamper.guards_off():
        for name, table in LIVE.items():
            assert difference(table) is None
            for column in TABLES[name]._meta.concrete_fields:
                if column.primary_key or column.name in table.unrecorded:
                    continue
                with subtests.test(column=f"{name}.{column.column}"), undone():
                    try:
                        with transaction.atomic():
                            past.rewrite(column).on(world)
                    except IntegrityError:
                        continue  # refused by a constraint, which is no guard
                    assert difference(table)


def _unrecorded(model: type[models.Model]) -> tuple[str, ...]:
    records = audit.histories().get(model)
    return records.unrecorded if records else ()
