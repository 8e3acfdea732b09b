"""Redactions: personal values leave the past of purged accounts alone, whoever writes that they should."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.models import BillingAccount
from milo.kube.models import Change
from milo.ledger import seals
from milo.ledger.models import Redaction
from milo.ledger.rows import Reader, salts
from milo.ledger.tables import all_tables, table_of
from milo.ledger.verification import verify
from projects.models import Organization
from tests.support import make, tamper
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db
PAST = BillingAccount.history.model


@pytest.fixture
def sealed_account(organization: Organization) -> BillingAccount:
    account = make.a_ready_account(organization, display_name="Erika Example")
    seals.seal()
    return account


def redact_as_the_chain_has_it(table: str, key: int) -> None:
    """Write the redaction that the product would: with the digests that the leaf of the row was made of."""
    (row,) = Reader(table_of(table), salts)(key - 1, key)
    digests = {name: row.columns[name]["sha256"] for name in row.personal}
    Redaction.objects.create(
        table=table, row=key, subject=row.subject, digests=digests, at=timezone.now(), actor="user:x", why="x"
    )


@pytest.mark.parametrize("table", [table.name for table in all_tables() if table.personal])
def test_the_application_redacts_nothing_that_is_not_archived(sealed_account: BillingAccount, table: str) -> None:
    row = table_of(table).model._base_manager.order_by("pk").first()
    if row is None:
        row = PAST.objects.earliest("pk")
    with nothing_changes(), pytest.raises(IntegrityError, match="redaction_of_archived"), transaction.atomic():
        redact_as_the_chain_has_it(row._meta.db_table, row.pk)


def test_the_owner_who_blanks_history_beside_a_redaction_is_found(sealed_account: BillingAccount) -> None:
    with tamper.guards_off():
        row = PAST.objects.latest("pk")
        redact_as_the_chain_has_it(PAST._meta.db_table, row.pk)
        tamper.alter(row, display_name="[purged]")
        tamper.alter(sealed_account, display_name="[purged]")
    (fault,) = verify().faults
    assert (fault.table, fault.message) == ("ledger_redaction", "redacts what was not purged")


def test_the_owner_who_rewrites_a_revision_beside_a_redaction_is_found(sealed_account: BillingAccount) -> None:
    with tamper.guards_off():
        row = Change.objects.latest("pk")
        redact_as_the_chain_has_it(Change._meta.db_table, row.pk)
        tamper.alter(row, manifest={"forged": True})
    assert "ledger_redaction" in {fault.table for fault in verify().faults}


def test_a_redaction_in_the_name_of_another_subject_stands_for_nothing(sealed_account: BillingAccount) -> None:
    other = make.a_ready_account(sealed_account.organization)
    seals.seal()
    with tamper.guards_off():
        row = PAST.objects.filter(id=sealed_account.pk).latest("pk")
        redact_as_the_chain_has_it(PAST._meta.db_table, row.pk)
        Redaction.objects.update(subject=str(other.uid))
        tamper.alter(row, display_name="[purged]")
    assert PAST._meta.db_table in {fault.table for fault in verify().faults}
