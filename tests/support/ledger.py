"""Assertions about the ledger: its complete content, the history of a row, and refusals that change nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Case, F, TextField, Value, When
from django.db.models.functions import Concat

from billing.models import BillingAccountBinding, UnboundProject
from milo import audit
from milo.access import Actor
from milo.errors import Refused
from milo.identity.models import LogIn
from milo.kube.kinds import kind_of
from milo.kube.models import Change, Renewal
from projects.models import Project

SUMMARY = Case(
    When(history_change_message="", then=F("history_change_reason")),
    default=Concat("history_change_reason", Value(": "), "history_change_message", output_field=TextField()),
    output_field=TextField(),
)
"""Why a history row was written: its reason, followed by a colon and the message if there is one."""
LEDGER_APPS = ("kube", "projects", "billing", "ledger")


@cache
def _selections() -> dict[str, str]:
    """Return by label of each model the SQL that selects its rows.

    Left out are the last use of tokens and the progress of renewals, which are not part of the ledger, and people and
    their history, because tests create people and log them in at any time.
    """
    people = {
        records.model_of(model) for model, records in audit.histories().items() if model._meta.app_label == "auth"
    } | {LogIn}
    return {
        model._meta.label: "SELECT {} FROM {} ORDER BY {}".format(
            ", ".join(f'"{column.column}"' for column in model._meta.concrete_fields if column.name != "last_used_at"),
            model._meta.db_table,
            ", ".join(f'"{column.column}"' for column in model._meta.pk_fields),
        )
        for label in (*LEDGER_APPS, "identity")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model not in people | {Renewal}
    }


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every ledger table: live rows, history, the change log and its counter."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        for label, selection in _selections().items():
            cursor.execute(selection)
            rows[label] = cursor.fetchall()
    return rows


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Assert that the body changes no row, no history row, no revision and not the counter."""
    before = everything()
    yield
    after = everything()
    changed = {label: (rows, after[label]) for label, rows in before.items() if after[label] != rows}
    assert not changed, changed


@contextmanager
def refused(kind: type[Refused], message: str | None = None) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """Assert that the body raises exactly this kind of refusal and changes nothing."""
    with nothing_changes(), pytest.raises(kind, match=message) as caught:
        yield caught
    assert type(caught.value) is kind


def causes_of(caught: pytest.ExceptionInfo[Refused]) -> dict[str, str]:
    """Return the reasons of a refusal's causes by field."""
    return {cause.field: cause.reason for cause in caught.value.causes}


def steps(row: Any) -> list[tuple[str, str]]:
    """Return the history of a row, oldest first, as (phase, summary)."""
    return list(row.history.order_by("history_id").values_list("phase", SUMMARY))


def authors(row: Any) -> set[str]:
    """Return the authors of a row's history."""
    return set(row.history.values_list("history_user_id", flat=True))


def revisions(row: Any) -> list[Change]:
    """Return the revisions of a row in the change log, oldest first."""
    return list(Change.objects.filter(uid=row.uid).order_by("resource_version"))


def shown(row: Any) -> dict[str, Any]:
    """Return the manifest in the newest revision of a row, as watchers get it."""
    newest = Change.objects.filter(uid=row.uid).order_by("-resource_version")
    manifest: dict[str, Any] = newest.values_list("manifest", flat=True)[0]
    return manifest


def assert_history_explains(row: Any) -> None:
    """Assert that the newest history row equals `row`, and that every history row has an author and a reason."""
    live = type(row)._base_manager.get(pk=row.pk)
    past = list(row.history.order_by("history_id"))
    for column in live._meta.concrete_fields:
        assert getattr(past[-1], column.attname) == getattr(live, column.attname), column.name
    assert [step.history_type for step in past] == ["+", *"~" * (len(past) - 1)]
    assert all(step.history_user_id and step.history_summary for step in past)


def assert_watchers_see(row: Any) -> None:
    """Assert that the newest revision of `row` equals its current manifest."""
    kind = kind_of(type(row))
    assert kind is not None
    now = kind.queryset().get(pk=row.pk)
    newest = shown(row)
    assert newest["metadata"]["generation"] == now.generation
    for part, rendered in (("spec", kind.spec(now)), ("status", kind.status(now))):
        assert {key: value for key, value in newest.get(part, {}).items() if value} == {
            key: value for key, value in rendered.items() if value
        }


def assert_timeline(project: Project) -> list[BillingAccountBinding]:
    """Assert that the bindings of a project form a timeline without gap or overlap. Return them, oldest first.

    Only the last one is in force, and only while the project is Active.
    """
    bindings = list(BillingAccountBinding.objects.timeline(project))
    for before, after in pairwise(bindings):
        assert (before.phase, before.ended_at) == ("Superseded", after.established_at)
        assert after.supersedes_id == before.pk
        assert before.account_id != after.account_id
    for binding in bindings:
        assert binding.ended_at is None or binding.ended_at > binding.established_at
    if bindings:
        active = Project.objects.get(pk=project.pk).phase == Project.Phase.ACTIVE
        assert bindings[-1].phase == ("Active" if active else "Ended")
        assert not UnboundProject.objects.filter(pk=project.pk).exists()
    return bindings


def touch(row: Any) -> None:
    """Give the object another revision, as an act of somebody else does."""
    kind = kind_of(type(row))
    assert kind
    with audit.transaction():
        kind.lock(row)
        audit.mark_changed(Actor.system("somebody-else"), row, reason="Touched")


def tally(outcomes: Iterable[object]) -> dict[str, int]:
    """Count results and exceptions of threads by type name."""
    return dict(Counter(type(outcome).__name__ for outcome in outcomes))


def nobody_in(organization_id: int) -> Actor:
    """Return an actor with every role of another organization, and none in `organization_id`."""
    roles = frozenset({"billing-admin", "billing-user", "billing-viewer"})
    return Actor("user:stranger", organizations={organization_id + 1_000_000: roles})


def member(organization_id: int, *roles: str) -> Actor:
    """Return an actor with `roles` in an organization."""
    return Actor("user:member", organizations={organization_id: frozenset(roles)})


def staff(*roles: str) -> Actor:
    """Return an actor with platform roles."""
    return Actor("user:staff", frozenset(roles))
