"""Lists of the staff site: search, filters, and as many queries for six rows as for two."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.compliance.preferences import Preferences
from billing.models import BillingAccount, BillingAccountBinding, Suspension
from billing.services.projects import archive_project
from milo.identity.models import ServiceToken
from projects.models import Membership, Organization, Project
from tests.admin.browser import list_of, parts_of, superuser
from tests.admin.conftest import Life, World
from tests.support import make


def names(client: Client, model: type[Model], **query: Any) -> set[str]:
    """The rows that a list shows."""
    return {str(row) for row in client.get(list_of(model), query).context["cl"].result_list}


@pytest.fixture
def others(world: World) -> Organization:
    """Another organization, with an unbound project, an archived one and an incomplete account."""
    organization = make.an_organization("other-corp")
    make.a_project(organization, "data-lake", display_name="Big data")
    make.an_incomplete_account(organization, "other-us")
    archived = make.a_project(organization, "attic")
    make.a_binding(archived, make.a_ready_account(organization, "other-eu", currency_code="EUR"), "third")
    archive_project(archived.pk, actor=make.PLATFORM)
    return organization


def test_projects_are_found_by_name_display_name_organization_and_uid(others: Organization, operator: Client) -> None:
    assert names(operator, Project, q="webapp") == {"webapp-frontend"}
    assert names(operator, Project, q="big data") == {"data-lake"}
    assert names(operator, Project, q="other-corp") == {"data-lake", "attic"}
    assert names(operator, Project, q=str(Project.objects.get(name="attic").uid)) == {"attic"}


def test_projects_are_filtered_by_organization_phase_and_payer(others: Organization, operator: Client) -> None:
    assert names(operator, Project, organization__id__exact=others.pk) == {"data-lake", "attic"}
    assert names(operator, Project, phase__exact="Archived") == {"attic"}
    assert names(operator, Project, payer="nobody") == {"data-lake"}
    assert names(operator, Project, payer="somebody") == {"webapp-frontend"}


def test_accounts_are_filtered_by_reason_charges_age_and_opening(life: Life, operator: Client) -> None:
    assert names(operator, BillingAccount, suspendedFor="ManualReview") == {"acme-us"}
    assert names(operator, BillingAccount, suspendedFor="FraudSuspected") == set()
    assert names(operator, BillingAccount, charges="overdue") == {"acme-us"}
    assert names(operator, BillingAccount, charges="outstanding") == {"acme-us"}
    everyone = {"acme-us", "acme-eu", "acme-apac"}
    now = timezone.now()
    BillingAccount.objects.filter(name="acme-eu").update(phase_since=now - timedelta(days=31))
    assert names(operator, BillingAccount, inPhaseFor="30") == {"acme-eu"}
    assert names(operator, BillingAccount, inPhaseFor="90") == set()
    assert names(operator, BillingAccount, opened="7") == names(operator, BillingAccount, opened="year") == everyone
    assert names(operator, BillingAccount, opened="before") == set()
    for unknown in ("inPhaseFor", "opened"):
        assert names(operator, BillingAccount, **{unknown: "x"}) == everyone


def test_accounts_are_filtered_by_the_days_on_which_they_were_opened(world: World, operator: Client) -> None:
    last = datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    with mock.patch.object(BillingAccount._meta.get_field("created_at"), "_get_default", return_value=last):
        make.a_ready_account(world.organization, "acme-old")
    both = {"acme-us", "acme-eu"}
    for asked, expected in (
        ({"from": "2026-01-31", "to": "2026-01-31"}, {"acme-old"}),
        ({"to": "2026-01-31"}, {"acme-old"}),
        ({"to": "2026-01-30"}, set()),
        ({"from": "2026-02-01"}, both),
        ({"from": "", "to": ""}, {"acme-old", *both}),
        ({"to": "9999-12-31", "from": "0001-01-01"}, {"acme-old", *both}),
        ({"from": "31.01.2026", "to": "x\x00"}, {"acme-old", *both}),
    ):
        query = {f"created_at_{name}": value for name, value in asked.items()}
        assert names(operator, BillingAccount, **query) == expected, asked
    page = operator.get(list_of(BillingAccount), {"created_at_from": "31.01.2026"}).content.decode()
    assert "Enter a valid date" in page
    backwards = {"created_at_from": "2026-02-01", "created_at_to": "2026-01-31"}
    assert names(operator, BillingAccount, **backwards) == set()
    answer = operator.get(list_of(BillingAccount), backwards)
    assert [str(message) for message in answer.context["messages"]] == [
        "Opened between (UTC): the span ends before it begins."
    ]
    assert "before the beginning" in answer.content.decode()
    export = f"{list_of(BillingAccount, 'export')}?{urlencode(backwards)}"
    assert operator.post(export, {"resource": "0", "format": "0"}).status_code == 200
    assert not list(operator.get(list_of(BillingAccount)).context["messages"])
    page = operator.get(list_of(BillingAccount), {"created_at_from": "2026-01-31"}).content.decode()
    assert re.search('<input type="date" name="created_at_from" value="2026-01-31"', page)


def test_accounts_are_searched_and_filtered(others: Organization, operator: Client) -> None:
    assert names(operator, BillingAccount, q="acme") == {"acme-us", "acme-eu"}
    assert names(operator, BillingAccount, phase__exact="Incomplete") == {"other-us"}
    assert names(operator, BillingAccount, currency_code="EUR") == {"acme-eu", "other-eu"}
    assert names(operator, BillingAccount, organization__id__exact=others.pk) == {"other-us", "other-eu"}


def test_accounts_are_filtered_by_country_and_suspensions_by_organization(
    world: World, others: Organization, operator: Client
) -> None:
    german = make.a_ready_account(others, "other-de", currency_code="EUR", preferences=Preferences("DE"))
    assert names(operator, BillingAccount, country="DE") == {"other-de"}
    assert names(operator, BillingAccount, country="FR") == set()
    make.in_phase(german, "Suspended")
    make.in_phase(world.us, "Suspended")
    found = names(operator, Suspension, account__organization__id__exact=others.pk)
    assert found == {str(Suspension.objects.get(account=german))}


def test_bindings_are_searched_and_filtered(world: World, others: Organization, operator: Client) -> None:
    assert names(operator, BillingAccountBinding, q="webapp") == {"first", "second"}
    assert names(operator, BillingAccountBinding, phase__exact="Ended") == {"third"}
    assert names(operator, BillingAccountBinding, account__id__exact=world.us.pk) == {"first"}
    assert names(operator, BillingAccountBinding, project__id__exact=world.project.pk) == {"first", "second"}
    assert names(operator, BillingAccountBinding, organization__id__exact=others.pk) == {"third"}


def test_organizations_are_looked_up_while_typing_by_those_who_see_them(
    others: Organization, operator: Client, client: Client
) -> None:
    query = {"app_label": "projects", "model_name": "project", "field_name": "organization", "term": "other"}
    found = operator.get("/admin/autocomplete/", query).json()["results"]
    assert [item["text"] for item in found] == ["other-corp"]
    assert client.get("/admin/autocomplete/", query).status_code == 302


def test_accounts_show_how_many_projects_they_pay_for(world: World, operator: Client) -> None:
    make.a_binding(make.a_project(world.organization), world.eu)
    shown = operator.get(list_of(BillingAccount)).context["cl"].result_list
    assert {str(row): row.linked_projects_count for row in shown} == {"acme-us": 0, "acme-eu": 2}


def an_organization() -> None:
    make.a_project(make.an_organization())


def a_bound_project() -> None:
    project = make.a_project(make.an_organization())
    make.a_binding(project, make.a_ready_account(project.organization))
    make.a_binding(project, make.a_ready_account(project.organization))


def a_membership() -> None:
    make.a_person(roles={make.an_organization(): "billing-user"})


def a_token() -> None:
    make.a_token(make.a_person())


def a_member_of_staff() -> None:
    make.a_person(groups=("auditor", "finance-operator"), is_staff=True)


@pytest.mark.parametrize(
    ("model", "one_more"),
    [
        (Organization, an_organization),
        (Project, a_bound_project),
        (BillingAccount, a_bound_project),
        (BillingAccountBinding, a_bound_project),
        (Membership, a_membership),
        (ServiceToken, a_token),
        (User, a_member_of_staff),
    ],
)
def test_a_list_takes_as_many_queries_for_six_rows_as_for_two(
    model: type[Model], one_more: Callable[[], None], db: None
) -> None:
    client = superuser()
    counts = []
    for wanted in (2, 6):
        while model._default_manager.count() < wanted:
            one_more()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page = client.get(list_of(model))
        assert len(page.context["cl"].result_list) >= wanted
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("kind", ["organization", "project", "us"])
def test_a_page_takes_as_many_queries_for_six_related_rows_as_for_two(
    kind: str, world: World, operator: Client
) -> None:
    parts_of(operator, getattr(world, kind))  # what a process looks up once is not the page's
    counts = []
    for wanted in (2, 6):
        for _more in range(wanted):
            project = make.a_project(world.organization)
            make.a_binding(project, world.us)
            make.a_binding(project, world.eu)
            make.a_binding(project, world.us)
            make.a_binding(world.project, world.us)
            make.a_binding(world.project, world.eu)
            make.a_person(roles={world.organization: "billing-viewer"})
        with CaptureQueriesContext(connection) as queries:
            parts_of(operator, getattr(world, kind))
        counts.append(len(queries))
    assert counts[0] == counts[1]
