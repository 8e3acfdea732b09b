"""Going back to an older schema is refused where sealed rows would lose what their seals prove."""

from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from billing.services.affiliations import inspection
from milo import append_only
from milo.ledger import seals
from milo.ledger.downgrades import refuse_loss_of_proof
from milo.ledger.verification import verify
from milo.schedules import runs
from projects.models import Organization
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.database import as_owner
from tests.support.ledger import everything

pytestmark = pytest.mark.django_db

LOST = {
    ("billing", "0047_since_when_and_instead"): "billing_historicalbillingaccount.paid_by_since",
    ("billing", "0038_affiliations"): "billing_historicalbillingaccount.paid_by_id",
    ("billing", "0019_history_messages"): "billing_historicalbillingaccount.history_change_message",
    ("billing", "0001_initial"): "billing_historicalbillingaccount",
    ("projects", "0004_credentials"): "projects_historicalorganization.history_credential",
    ("identity", "0007_people"): "identity_historicalgroup",
    ("kube", "0001_initial"): "kube_change",
    ("ledger", "0001_seals"): "ledger_seal",
}
KEPT = [("ledger", "0002_place_of_inspections")]


@pytest.fixture
def sealed_organization(organization: Organization) -> Organization:
    """An organization with an account, whose history is sealed."""
    make.a_ready_account(organization)
    seals.seal()
    return organization


def undoing(*node: str) -> list[tuple[Any, bool]]:
    """The plan of `migrate` that undoes a migration and all that depend on it."""
    graph = MigrationLoader(connection).graph
    return [(graph.nodes[each], True) for each in graph.backwards_plan(node)]


@pytest.mark.parametrize("node", LOST, ids=".".join)
def test_what_takes_a_sealed_column_or_table_is_refused_by_its_name(
    sealed_organization: Organization, node: tuple[str, str]
) -> None:
    with pytest.raises(CommandError, match="go back by running its code, without migrate") as refusal:
        refuse_loss_of_proof("default", undoing(*node))
    assert f"{'.'.join(node)} is not undone" in str(refusal.value)
    if "more" not in str(refusal.value):
        assert LOST[node] in str(refusal.value)


@pytest.mark.parametrize("node", KEPT, ids=".".join)
def test_what_takes_nothing_that_is_sealed_can_be_undone(
    sealed_organization: Organization, node: tuple[str, str]
) -> None:
    refuse_loss_of_proof("default", undoing(*node))


def test_what_takes_a_table_with_rows_is_refused_though_no_row_is_sealed(db: None) -> None:
    """Whatever serves needs its tables: without the last runs beat and worker fail, and no web process is ready."""
    last_run = undoing("schedules", "0001_last_runs")
    refuse_loss_of_proof("default", last_run)
    runs.last_run("seal-ledger")
    with pytest.raises(CommandError, match="go back by running its code, without migrate") as refusal:
        refuse_loss_of_proof("default", last_run)
    assert "schedules.0001_last_runs is not undone: schedules_lastrun has rows" in str(refusal.value)


def test_where_no_row_is_there_nothing_can_be_lost() -> None:
    refuse_loss_of_proof("default", undoing("billing", "0019_history_messages"))


@pytest.mark.django_db(transaction=True)
def test_migrate_refuses_before_anything_has_changed(sealed_organization: Organization) -> None:
    before = everything()
    with as_owner(), pytest.raises(CommandError, match="sealed rows would look altered"):
        call_command("migrate", "billing", "0018", verbosity=0)
    assert everything() == before
    assert append_only.missing(connection) == []
    assert verify().faults == []


@pytest.mark.django_db(transaction=True)
def test_a_tree_is_not_undone_sealed_or_not(organization: Organization) -> None:
    group, eu = make.a_ready_account(organization, "group"), make.an_incomplete_account(organization, "eu")
    an_affiliation(eu, group)
    before = everything()
    with as_owner(), pytest.raises(CommandError, match="billing_historicalbillingaccountaffiliation"):
        call_command("migrate", "billing", "0037", verbosity=0)
    assert everything() == before
    assert [*inspection.breaks()] == []


@pytest.mark.django_db(transaction=True)
def test_accounts_of_before_accounts_under_accounts_are_migrated_as_they_are(organization: Organization) -> None:
    group, eu = (make.a_ready_account(organization, name) for name in ("group", "eu"))
    make.a_binding(make.a_project(organization), eu)
    before = everything()
    with as_owner():
        try:
            # as nobody may: to have the tables of the version before, with rows
            with mock.patch("milo.ledger.downgrades.refuse_loss_of_proof"):
                call_command("migrate", "billing", "0037", verbosity=0)
            with connection.cursor() as cursor:
                assert "billing_accountpayer" not in connection.introspection.table_names(cursor)
        finally:
            call_command("migrate", "billing", verbosity=0)
    assert everything() == before
    assert append_only.missing(connection) == []
    seals.seal()
    assert verify().faults == []
    an_affiliation(group, make.a_ready_account(organization, "holding"))
    assert [*inspection.breaks()] == []
