"""Accounts under accounts: usage of a tree, binds into it, a branch that moves, and a payer that is suspended."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import orjson
from django.db import connection, connections, transaction

from benchmarks import usage
from benchmarks.data import PLATFORM, a_large_payer, a_ready_account, copies_of
from benchmarks.report import Report
from benchmarks.stage import Stage
from billing.models import BillingAccount, BillingAccountAffiliation, BillingAccountBinding, UsageMeter
from billing.models.usage_partitions import next_month
from billing.services.affiliations.creation import create_affiliation
from billing.services.affiliations.payers import rewrite
from billing.services.affiliations.scopes import SUBTREE, of_scope
from billing.services.affiliations.specs import AffiliationSpec, present_month
from billing.services.bindings import bind
from billing.services.notices.deliveries import announce_due
from billing.services.suspensions import suspend
from billing.services.usage.intake import report
from billing.services.usage.reports import TOTAL, UsageQuery, of_account
from milo.access import Actor
from milo.compiled_queries import CompiledQuery, Param
from milo.dates import first_of_month
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec, create_organization
from projects.services.projects import ProjectSpec, create_project

ACCOUNTS, FANOUT, METERS, MONTHS = 10_000, 10, 4, 12
MOVED, PROJECTS, CLIENTS = 1_000, 10_000, 64
REPORTER = Actor("user:meter", frozenset({"usage-reporter"}))
SUMS = """
INSERT INTO billing_usagerollup (account_id, project_id, meter_id, granularity, starts_on, billed_in, quantity, events)
SELECT account, %s, meter, 'month', month, month, 1.25, 3
FROM unnest(%s::bigint[]) AS account, unnest(%s::bigint[]) AS meter, unnest(%s::date[]) AS month
"""
OF_ONE = """
INSERT INTO billing_usagerollup (account_id, project_id, meter_id, granularity, starts_on, billed_in, quantity, events)
SELECT %s, project, meter, 'month', %s, %s, 1.25, 3
FROM unnest(%s::bigint[]) AS project, unnest(%s::bigint[]) AS meter
"""
SCAN = """
SELECT m.unit, sum(r.quantity), sum(r.events - r.withdrawn) FROM billing_usagerollup AS r
JOIN billing_usagemeter AS m ON m.id = r.meter_id
WHERE r.granularity = 'month' AND r.starts_on = %s GROUP BY m.unit
"""
_numbers = count()


def run(stage: Stage) -> Report:
    """Each ratio is of two things measured alternately, of which the medians are taken."""
    small = stage.data.accounts < ACCOUNTS
    organization, accounts = _tree("acme-tree", 200 if small else ACCOUNTS)
    facts: dict[str, Any] = {"accounts of the tree": len(accounts)}
    facts |= _usage(stage, organization, accounts)
    facts |= _binds(stage, organization, accounts, 4 if small else CLIENTS)
    facts |= _intake(stage, organization, accounts)
    facts |= _move(100 if small else MOVED)
    facts |= _suspension(100 if small else PROJECTS)
    return Report("Accounts under accounts", facts=facts)


def _tree(name: str, number: int) -> tuple[Organization, list[BillingAccount]]:
    """Return accounts of which each is payer of record for none, but for the first, which is that of all."""
    organization = create_organization(name, OrganizationSpec("Acme Group"), actor=PLATFORM)
    copies_of(a_ready_account(organization, "unit-0"), "unit", number)
    accounts = list(BillingAccount.objects.filter(organization=organization).order_by("pk"))
    _affiliate(accounts, [None, *((each - 1) // FANOUT for each in range(1, number))])
    return organization, accounts


def _affiliate(accounts: Sequence[BillingAccount], parents: Sequence[int | None]) -> None:
    """Put each account under that of its index, since long; the rows that follow are those of the services."""
    since = date(2026, 1, 1)
    rows = [
        BillingAccountAffiliation(
            name=f"under-{account.name}",
            organization_id=account.organization_id,
            account=account,
            parent=accounts[parent],
            payer=BillingAccountAffiliation.Payer.PARENT,
            effective_from=since,
            reason="a benchmark",
            created_by=PLATFORM.name,
            phase=BillingAccountAffiliation.Phase.ACTIVE,
            activated_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for account, parent in zip(accounts, parents, strict=True)
        if parent is not None
    ]
    with _without_guards():
        BillingAccountAffiliation.objects.bulk_create(rows, batch_size=1_000)
        payers = rewrite(accounts[0].organization_id)
        by_payer: dict[int, list[int]] = {}
        for account, payer in payers.items():
            by_payer.setdefault(payer, []).append(account)
        for payer, paid in by_payer.items():
            BillingAccount.objects.filter(pk__in=paid).exclude(pk=payer).update(paid_by=payer)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def _without_guards() -> Iterator[None]:
    """Open a transaction without triggers, which would ask for history."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield


def _usage(stage: Stage, organization: Organization, accounts: Sequence[BillingAccount]) -> dict[str, Any]:
    meters = UsageMeter.objects.bulk_create(
        UsageMeter(service="trees", name=f"tree-{number}", unit="s") for number in range(METERS)
    )
    keys, (project,) = [row.pk for row in meters], _projects(organization, 1, "of-a-tree")
    month = present_month()
    months = [month - timedelta(days=1) - timedelta(days=31 * back) for back in range(MONTHS - 1)]
    # the branch of an account of the second level from below
    branch = accounts[FANOUT + 1] if len(accounts) > FANOUT**3 else accounts[1]
    below = [account for account in accounts if _under(accounts, account, branch)]
    one = a_ready_account(organization, "one")
    many = Project.objects.bulk_create(
        Project(name=f"of-one-{number}", organization=organization) for number in range(len(below))
    )
    with connection.cursor() as cursor:
        starts = [month, *(each.replace(day=1) for each in months)]
        cursor.execute(SUMS, [project.pk, [row.pk for row in accounts], keys, sorted(set(starts))])
        cursor.execute("VACUUM ANALYZE billing_usagerollup")
    query = UsageQuery(month, next_month(month), TOTAL)
    whole = _ratio(partial(of_scope, accounts[0], query, SUBTREE), partial(_scan, month), 5)
    with connection.cursor() as cursor:
        cursor.execute(OF_ONE, [one.pk, month, month, [row.pk for row in many], keys])
        cursor.execute("VACUUM ANALYZE billing_usagerollup")
    part = _ratio(partial(of_scope, branch, query, SUBTREE), partial(of_account, one, query), stage.asked // 4)
    return {
        "a month of the root, and one scan of the rows": whole,
        f"a month of a branch of {len(below)} accounts, and of one account with as many sums": part,
    }


def _under(accounts: Sequence[BillingAccount], account: BillingAccount, branch: BillingAccount) -> bool:
    index, top = account.pk - accounts[0].pk, branch.pk - accounts[0].pk
    while index > top:
        index = (index - 1) // FANOUT
    return index == top


def _scan(month: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SCAN, [month])
        cursor.fetchall()


def _binds(
    stage: Stage, organization: Organization, accounts: Sequence[BillingAccount], clients: int
) -> dict[str, Any]:
    """Bind projects to accounts of the tree, and to accounts that nobody else pays for."""
    apart = create_organization("acme-apart", OrganizationSpec("Acme"), actor=PLATFORM)
    number = 2 * clients
    copies_of(a_ready_account(apart, "unit-0"), "unit", number)
    alone = list(BillingAccount.objects.filter(organization=apart).order_by("pk"))
    paid = accounts[-number:]
    projects = {each.pk: _projects(each, 2 * clients) for each in (organization, apart)}
    _bind_all(paid, projects[organization.pk])
    _bind_all(alone, projects[apart.pk])
    turns = count(1)

    def one(rows: Sequence[BillingAccount]) -> None:
        turn = next(turns)
        _bind(projects[rows[0].organization_id][-1], rows[turn % len(rows)])

    at, project = datetime.now(UTC), projects[organization.pk][1]
    paying = BillingAccountBinding.objects.paying(Param("at")).filter(project=Param("project"))
    payer = CompiledQuery(paying.all)
    of_record = CompiledQuery(partial(paying.with_payer_of_record, Param("month")))
    of = {"at": at, "project": project.pk, "month": first_of_month(at)}
    facts = {
        "a bind to a paid account, and to another": _ratio(partial(one, paid), partial(one, alone), stage.asked // 4),
        "payer of record at T, and payer at T": _ratio(
            partial(of_record.first, **of), partial(payer.first, **of), stage.asked // 4
        ),
    }
    rates: dict[str, list[float]] = {"tree": [], "apart": []}
    for turn in range(1, 3 * stage.rounds + 1):
        for title, rows in (("tree", paid), ("apart", alone)):
            begun = time.perf_counter()
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(partial(_bind_own, rows, projects[rows[0].organization_id], turn), range(clients)))
            rates[title].append(clients / (time.perf_counter() - begun))
    ratio = statistics.median(one / other for one, other in zip(rates["tree"], rates["apart"], strict=True))
    return facts | {f"{clients} clients into one tree, over as many accounts apart": round(ratio, 2)}


def _projects(organization: Organization, number: int, stem: str = "") -> list[Project]:
    spec, stem = ProjectSpec("A project"), stem or organization.name
    return [create_project(f"{stem}-{each}", organization.pk, spec, actor=PLATFORM) for each in range(number)]


def _bind(project: Project, account: BillingAccount) -> None:
    bind(project.organization_id, f"bound-{next(_numbers)}", project.name, account.name, actor=PLATFORM)


def _bind_all(accounts: Sequence[BillingAccount], projects: Sequence[Project]) -> None:
    for project, account in zip(projects, accounts, strict=True):
        _bind(project, account)


def _bind_own(accounts: Sequence[BillingAccount], projects: Sequence[Project], turn: int, worker: int) -> None:
    """Bind a project that no other client binds to an account that none binds to meanwhile."""
    try:
        _bind(projects[worker], accounts[(worker + turn % 2 * len(projects) // 2) % len(accounts)])
    finally:
        connections.close_all()


def _intake(stage: Stage, organization: Organization, accounts: Sequence[BillingAccount]) -> dict[str, Any]:
    """Take batches of projects of the tree, and of projects of accounts apart."""
    bodies = {name: usage.batches(name, 8) for name in (organization.name, "acme-apart")}
    tree, apart = (partial(lambda body: report(orjson.loads(body()), actor=REPORTER), each) for each in bodies.values())
    return {"intake of a batch, of a tree, and apart": _ratio(tree, apart, stage.rounds * 2)}


def _move(number: int) -> dict[str, Any]:
    """A branch that was never used comes under another root, which is invoiced for all of it from now on."""
    organization = create_organization("acme-moved", OrganizationSpec("Acme"), actor=PLATFORM)
    copies_of(a_ready_account(organization, "unit-0"), "unit", number + 3)
    accounts = list(BillingAccount.objects.filter(organization=organization).order_by("pk"))
    # two roots, the branch, and all others directly below it
    _affiliate(accounts, [None, None, 0, *[2] * number])
    spec = AffiliationSpec(accounts[2].name, "a benchmark", accounts[1].name, "Parent", present_month())
    begun = time.perf_counter()
    create_affiliation(organization.pk, "moved", spec, actor=PLATFORM)
    return {f"a branch of {number + 1} accounts moved, s": round(time.perf_counter() - begun, 2)}


def _suspension(number: int) -> dict[str, Any]:
    """Suspend a payer of as many projects: of a tree of 100 accounts, and of its own."""
    own = a_large_payer(number, "acme-of-one", "own")
    root = a_large_payer(number, "acme-of-many", "spread")
    copies_of(root, "unit", 100)
    accounts = [root, *BillingAccount.objects.filter(organization=root.organization).exclude(pk=root.pk).order_by("pk")]
    _affiliate(accounts, [None, *[0] * (len(accounts) - 1)])
    with _without_guards(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_billingaccountbinding SET account_id = (%s::bigint[])[1 + id %% %s] WHERE account_id = %s",
            [[row.pk for row in accounts], len(accounts), root.pk],
        )
    return {
        f"a suspension told to {number} projects, of a tree, and of one account": _ratio(
            partial(_suspended, root), partial(_suspended, own), 3
        )
    }


def _suspended(account: BillingAccount) -> None:
    suspend(account.pk, reason_code="PaymentPastDue", message="An invoice is past due", actor=PLATFORM)
    while announce_due():
        pass


def _ratio(one: Callable[[], object], other: Callable[[], object], times: int) -> list[float]:
    """Return the milliseconds of each, and their ratio."""
    one()
    other()
    taken: tuple[list[float], list[float]] = ([], [])
    for _turn in range(times):
        for found, act in zip(taken, (one, other), strict=True):
            begun = time.perf_counter()
            act()
            found.append((time.perf_counter() - begun) * 1000)
    first, second = map(statistics.median, taken)
    return [round(first, 2), round(second, 2), round(first / second, 2)]
