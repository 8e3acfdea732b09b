"""The ground the other tests stand on: what they need of the database holds on both engines."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from billing.models import BillingAccount
from milo import append_only, clock
from projects.models import Organization
from tests.support import lock_order, make
from tests.support.database import as_owner
from tests.support.threads import at_once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", ["first", "second"])
def test_flush_leaves_an_empty_database_with_its_guards(time: str) -> None:
    assert not BillingAccount.objects.exists()
    assert append_only.missing(connection) == []
    account = make.a_ready_account(make.an_organization())
    with as_owner(), pytest.raises(IntegrityError, match="account_never_deleted"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_billingaccount")
    assert BillingAccount.objects.get() == account


@pytest.mark.django_db(transaction=True)
def test_threads_see_one_database_and_leave_no_connection() -> None:
    names = [f"thread-{number}" for number in range(16)]
    made = at_once([lambda name=name: make.an_organization(name) for name in names])  # type: ignore[misc]
    assert [organization.name for organization in made if isinstance(organization, Organization)] == names
    assert Organization.objects.count() == 16


@pytest.mark.django_db(transaction=True)
def test_a_rollback_does_not_send_a_connection_back_to_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    later = timezone.now() + timedelta(days=4380)
    with monkeypatch.context() as travel:
        travel.setattr(timezone, "now", lambda: later)
        assert clock.fault(connection) == ""
    with transaction.atomic():
        assert clock.fault(connection) == ""
        transaction.set_rollback(True)
    assert clock.fault(connection) == ""


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_opened_again_is_watched_once_and_not_for_ever() -> None:
    with lock_order.watched() as order:
        connection.close()
        connection.ensure_connection()
        assert connection.execute_wrappers.count(order) == 1
    assert order not in connection.execute_wrappers
