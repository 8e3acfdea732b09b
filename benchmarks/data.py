"""What the benchmarks work on: a few rows made through the services, and many copies of them made by SQL."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, open_account
from billing.services.bindings import bind
from billing.terms.payment_terms import PaymentTerms
from milo.access import Actor
from milo.identity.actors import actor_of
from milo.identity.tokens import issue_token
from milo.kube.models import Change
from projects.access import FINANCE_OPERATOR
from projects.models import Membership, Organization
from projects.services.memberships import grant
from projects.services.organizations import OrganizationSpec, create_organization
from projects.services.projects import ProjectSpec, create_project

PLATFORM = Actor.system("benchmarks")
ORGANIZATION = "acme-corp"
ACCOUNTS, PROJECTS = 1000, 500
"""Of `ORGANIZATION`: account-0 to account-999, project-0 to project-499; account-2n pays for project-n."""
ACCOUNTS_ELSEWHERE = 100
"""Of each other organization."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bearer tokens of a billing admin of `ORGANIZATION` and of an operator, and the number of all accounts."""

    admin: str
    operator: str
    accounts: int


def make(accounts: int) -> Data:
    """Fill the empty database with `accounts` (at least 1,000) accounts, each with its history and its revision."""
    admin, operator = User.objects.create_user("acme-admin"), User.objects.create_user("operator")
    operator.groups.add(Group.objects.get_or_create(name=FINANCE_OPERATOR)[0])
    organization = create_organization(ORGANIZATION, OrganizationSpec("Acme Corporation"), actor=PLATFORM)
    grant(organization, admin, Membership.Role.BILLING_ADMIN, actor=PLATFORM)
    spec = AccountSpec(
        "Acme in the United States", "USD", PaymentTerms(30, "Monthly", 1), {"creditCard": {"cardReference": "cc-1"}}
    )
    account = open_account(organization.pk, "account-0", spec, actor=PLATFORM)
    project = create_project("project-0", organization.pk, ProjectSpec("A project"), actor=PLATFORM)
    binding = bind(organization.pk, "binding-0", project.name, account.name, actor=PLATFORM)
    _copy(account, f"SELECT 'account-' || n AS name FROM generate_series(1, {ACCOUNTS - 1}) AS n", name="made.name")
    _copy(project, f"SELECT 'project-' || n AS name FROM generate_series(1, {PROJECTS - 1}) AS n", name="made.name")
    _copy(
        binding,
        "SELECT p.id AS project, a.id AS account, 'binding-' || substr(p.name, 9) AS name"
        " FROM projects_project AS p, billing_billingaccount AS a"
        " WHERE p.name <> 'project-0' AND a.name = 'account-' || 2 * substr(p.name, 9)::int",
        name="made.name",
        project_id="made.project",
        account_id="made.account",
    )
    elsewhere = -(-(accounts - ACCOUNTS) // ACCOUNTS_ELSEWHERE)
    _copy(organization, f"SELECT 'org-' || n AS name FROM generate_series(1, {elsewhere}) AS n", name="made.name")
    _copy(
        account,
        "SELECT o.id AS organization, 'account-' || n AS name"
        f" FROM projects_organization AS o, generate_series(1, {ACCOUNTS_ELSEWHERE}) AS n"
        f" WHERE o.name <> '{ORGANIZATION}'",
        name="made.name",
        organization_id="made.organization",
    )
    for row in (organization, project, account, binding):
        _number_copies(row)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    made = ACCOUNTS + elsewhere * ACCOUNTS_ELSEWHERE
    return Data(issue_token(admin, actor=actor_of(admin))[1], issue_token(operator, actor=actor_of(operator))[1], made)


def a_large_payer(projects: int, name: str = "acme-holding", stem: str = "part") -> BillingAccount:
    """An account of an organization `name` that pays for `projects` projects, each with a contact.

    Projects are named by their stem and number.
    """
    organization = create_organization(name, OrganizationSpec("Acme Holding"), actor=PLATFORM)
    account = a_ready_account(organization, "payer")
    spec = ProjectSpec("A project", ["owner@acme.example"])
    project = create_project(f"{stem}-0", organization.pk, spec, actor=PLATFORM)
    binding = bind(organization.pk, project.name, project.name, account.name, actor=PLATFORM)
    _copy(project, f"SELECT '{stem}-' || n AS name FROM generate_series(1, {projects - 1}) AS n", name="made.name")
    _copy(
        binding,
        "SELECT id AS project, name FROM projects_project"
        f" WHERE organization_id = {organization.pk} AND name <> '{stem}-0'",
        name="made.name",
        project_id="made.project",
    )
    for row in (project, binding):
        _number_copies(row)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return account


def a_ready_account(organization: Organization, name: str) -> BillingAccount:
    terms, profile = PaymentTerms(30, "Monthly", 1), {"creditCard": {"cardReference": "cc-2"}}
    return open_account(organization.pk, name, AccountSpec("Payer", "USD", terms, profile), actor=PLATFORM)


def copies_of(account: BillingAccount, stem: str, number: int) -> None:
    """Copy an account as often as there are `number` with it, named by `stem` and number."""
    _copy(account, f"SELECT '{stem}-' || n AS name FROM generate_series(1, {number - 1}) AS n", name="made.name")
    _number_copies(account)


def _columns(model: type[Model], *, without: str = "") -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields if field.name != without]


def _copy(template: Any, source: str, **different: str) -> None:
    """A copy of the row `template`, and of its newest history row, for each row (`made`) of the query `source`.

    `different` maps columns to SQL expressions.
    """
    table, columns = template._meta.db_table, _columns(type(template), without="id")
    different = {"uid": "gen_random_uuid()", **different}
    values = ", ".join(different.get(column, f"template.{column}") for column in columns)
    remembered = template.history.latest()
    history, history_columns = remembered._meta.db_table, _columns(type(remembered), without="history_id")
    history_values = ", ".join(f"{'old' if name.startswith('history_') else 'made'}.{name}" for name in history_columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH made AS (INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {values} FROM {table} AS template, ({source}) AS made WHERE template.id = %s RETURNING *)"
            f" INSERT INTO {history} ({', '.join(history_columns)})"
            f" SELECT {history_values} FROM {history} AS old, made WHERE old.history_id = %s",
            [template.pk, remembered.pk],
        )


def _number_copies(template: Any) -> None:
    """The revision that each copy of `template` that has none would have had, and the counter behind them."""
    newest = Change.objects.filter(uid=template.uid).latest("resource_version")
    namespace = "owner.name" if newest.namespace else "''"
    different = {
        "resource_version": "last.value + row.id",
        "uid": "row.uid",
        "name": "row.name",
        "organization": "owner.name",
        "namespace": namespace,
        "manifest": "jsonb_set(template.manifest::jsonb, '{metadata}',"
        " jsonb_strip_nulls(template.manifest::jsonb->'metadata'"
        " || jsonb_build_object('name', row.name, 'uid', row.uid, 'resourceVersion', (last.value + row.id)::text,"
        f" 'namespace', nullif({namespace}, ''))))::text",
    }
    columns = _columns(Change)
    owner = "id" if template._meta.label == Organization._meta.label else "organization_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO kube_change ({', '.join(columns)})"
            f" SELECT {', '.join(different.get(column, f'template.{column}') for column in columns)}"
            f" FROM kube_change AS template, kube_counter AS last, {template._meta.db_table} AS row"
            f" JOIN projects_organization AS owner ON owner.id = row.{owner}"
            " WHERE template.resource_version = %s"
            " AND NOT EXISTS (SELECT FROM kube_change AS known WHERE known.uid = row.uid)",
            [newest.pk],
        )
        cursor.execute("UPDATE kube_counter SET value = (SELECT max(resource_version) FROM kube_change)")
