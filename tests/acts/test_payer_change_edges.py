"""Payer changes at their edges: sets that change under a plan, lists that are empty, a worker that comes late."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, PayerChange
from billing.services.payer_changes.cancellations import cancel
from billing.services.projects import archive_project
from milo.errors import Invalid
from tests.support import make
from tests.support.ledger import refused
from tests.support.payer_changes import World, a_payer_change, outcomes, travel

__all__ = ["travel"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def messages(caught: Any) -> dict[str, str]:
    return {cause.field: cause.message for cause in caught.value.causes}


def test_an_empty_list_of_projects_cancels_nothing(world: World) -> None:
    change = a_payer_change(world.emea, *world.projects)
    with refused(Invalid) as caught:
        cancel(change.pk, reason="a mistake", projects=[], actor=make.PLATFORM)
    assert set(messages(caught)) == {"spec.projects"}
    assert {phase for phase, _reason in outcomes(change).values()} == {"Pending"}


def test_archiving_locks_the_account_before_the_payer_change_as_the_worker_does(world: World) -> None:
    a_payer_change(world.emea, *world.projects)
    with CaptureQueriesContext(connection) as queries:
        archive_project(world.shop.pk, actor=make.PLATFORM)
    read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    first = {
        model: next(number for number, sql in enumerate(read) if f'FROM "{model._meta.db_table}"' in sql)
        for model in (BillingAccount, PayerChange)
    }
    assert first[BillingAccount] < first[PayerChange]
