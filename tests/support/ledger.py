"""What a test asks of the ledger: all that is in it, how a row came to be, and that a refusal left no trace."""

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

from billing.models import BillingAccountBinding
from milo import audit
from milo.access import Actor
from milo.errors import Refused
from milo.identity.models import LogIn
from milo.kube.kinds import kind_of
from milo.kube.models import Change
from projects.models import Project

TOLD = Case(
    When(history_change_message="", then=F("history_change_reason")),
    default=Concat("history_change_reason", Value(": "), "history_change_message", output_field=TextField()),
    output_field=TextField(),
)
"""Why a history row was written: its reason, and behind a colon the message where there is one."""
LEDGER_APPS = ("kube", "projects", "billing", "ledger")


@cache
def _selections() -> dict[str, str]:
    """By label of each model, the SQL of its rows; when a token was last used is no part of the ledger.

    Nor are people, whom tests make and log in where they need one, and their history.
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
        if model not in people
    }


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of ours, as the database has it: live ones, history, the change log and its counter."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        for label, selection in _selections().items():
            cursor.execute(selection)
            rows[label] = cursor.fetchall()
    return rows


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Fails where the body changes any row, history row, revision or the number of the last revision."""
    before = everything()
    yield
    after = everything()
    changed = {label: (rows, after[label]) for label, rows in before.items() if after[label] != rows}
    assert not changed, changed


@contextmanager
def refused(kind: type[Refused], message: str | None = None) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """The body is refused with exactly this kind of refusal, and nothing has changed."""
    with nothing_changes(), pytest.raises(kind, match=message) as caught:
        yield caught
    assert type(caught.value) is kind


def causes_of(caught: pytest.ExceptionInfo[Refused]) -> dict[str, str]:
    """The fields that a refusal names, each with its reason."""
    return {cause.field: cause.reason for cause in caught.value.causes}


def steps(row: Any) -> list[tuple[str, str]]:
    """The history of a row, oldest first: the phase after each step, and why it was taken."""
    return list(row.history.order_by("history_id").values_list("phase", TOLD))


def authors(row: Any) -> set[str]:
    """Who wrote the row."""
    return set(row.history.values_list("history_user_id", flat=True))


def revisions(row: Any) -> list[Change]:
    """The revisions of a row in the change log, oldest first."""
    return list(Change.objects.filter(uid=row.uid).order_by("resource_version"))


def shown(row: Any) -> dict[str, Any]:
    """The manifest of a row at its newest revision, as a watcher has it."""
    newest = Change.objects.filter(uid=row.uid).order_by("-resource_version")
    manifest: dict[str, Any] = newest.values_list("manifest", flat=True)[0]
    return manifest


def assert_history_explains(row: Any) -> None:
    """The newest history row of `row` holds what the row holds, and somebody answers for each for a reason."""
    live = type(row)._base_manager.get(pk=row.pk)
    past = list(row.history.order_by("history_id"))
    for column in live._meta.concrete_fields:
        assert getattr(past[-1], column.attname) == getattr(live, column.attname), column.name
    assert [step.history_type for step in past] == ["+", *"~" * (len(past) - 1)]
    assert all(step.history_user_id and step.history_summary for step in past)


def assert_watchers_see(row: Any) -> None:
    """The newest revision of `row` in the change log is what the row shows now."""
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
    """The bindings of `project`, oldest first: contiguous, ever later, the last alone in force while it is Active."""
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
    return bindings


def touch(row: Any) -> None:
    """Give the object another revision, as an act of somebody else does."""
    kind = kind_of(type(row))
    assert kind
    with audit.transaction():
        kind.lock(row)
        audit.mark_changed(Actor.system("somebody-else"), row, reason="Touched")


def tally(outcomes: Iterable[object]) -> dict[str, int]:
    """How many of what threads returned or raised were of which type."""
    return dict(Counter(type(outcome).__name__ for outcome in outcomes))


def nobody_in(organization_id: int) -> Actor:
    """A person with every role of an organization, none of which counts in `organization_id`."""
    roles = frozenset({"billing-admin", "billing-user", "billing-viewer"})
    return Actor("user:stranger", organizations={organization_id + 1_000_000: roles})


def member(organization_id: int, *roles: str) -> Actor:
    """A person with `roles` in an organization."""
    return Actor("user:member", organizations={organization_id: frozenset(roles)})


def staff(*roles: str) -> Actor:
    """A person with `roles` across the platform."""
    return Actor("user:staff", frozenset(roles))
