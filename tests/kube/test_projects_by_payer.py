"""Selection of projects by the account that pays for them."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.api.projects import BilledProjectKind
from billing.models import BillingAccount
from billing.services.projects import archive_project
from milo.kube.store import lists
from milo.kube.store.manifests import render
from milo.kube.store.selectors import Selection, parse
from projects.models import Organization, Project
from tests.kube.watching import a_watch, act, run, watching
from tests.support import make
from tests.support.database import as_owner

PAYER = "status.billingResponsibility.account"
KIND = BilledProjectKind()


def by(selector: str) -> Selection:
    return parse(KIND, "", selector)


def listed(selector: str) -> list[str]:
    manifests, _metadata = lists.page(KIND, KIND.queryset(), by(selector))
    return [manifest["metadata"]["name"] for manifest in manifests]


@pytest.fixture
def payers(organization: Organization) -> tuple[BillingAccount, BillingAccount]:
    return make.a_ready_account(organization, "us"), make.a_ready_account(organization, "eu")


@pytest.fixture
def everything(organization: Organization, payers: tuple[BillingAccount, BillingAccount]) -> list[Project]:
    """Create projects paid by each account, rebound, archived, unbound, and by another organization's `us`."""
    us, eu = payers
    names = ("by-us", "by-eu", "moved", "archived", "unbound")
    by_us, by_eu, moved, archived, _unbound = (make.a_project(organization, name) for name in names)
    for number, (project, account) in enumerate(((by_us, us), (by_eu, eu), (moved, us), (archived, us), (moved, eu))):
        make.a_binding(project, account, f"binding-{number}")
    archive_project(archived.pk, actor=make.PLATFORM)
    other = make.an_organization("other-corp")
    make.a_binding(make.a_project(other, "theirs"), make.a_ready_account(other, "us"), "theirs")
    return list(Project.objects.order_by("name"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (f"{PAYER}=us", ["by-us", "theirs"]),
        (f"{PAYER}=us,spec.organizationRef.name=acme-corp", ["by-us"]),
        (f"{PAYER}=eu", ["by-eu", "moved"]),
        (f"{PAYER}!=us", ["archived", "by-eu", "moved", "unbound"]),
        (f"{PAYER}=", ["archived", "unbound"]),
        (f"{PAYER}=,status.phase=Active", ["unbound"]),
        (f"{PAYER}!=", ["by-eu", "by-us", "moved", "theirs"]),
        (f"{PAYER}=nobody", []),
    ],
)
def test_the_payer_of_now_selects(everything: list[Project], selector: str, expected: list[str]) -> None:
    assert listed(selector) == expected


@pytest.mark.django_db
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.builds("{}{}{}".format, st.sampled_from([PAYER, "status.phase"]), st.sampled_from(["=", "!="]),
                  st.sampled_from(["us", "eu", "", "nobody", "Active", "'; --"])),
        max_size=3,
    )
)  # fmt: skip
def test_a_list_and_a_watch_select_the_same_projects(everything: list[Project], terms: list[str]) -> None:
    selection = by(",".join(terms))
    rows = KIND.queryset().order_by("name")
    assert listed(",".join(terms)) == [row.name for row in rows if selection.matches(render(KIND, row, 1))]


@pytest.mark.django_db
def test_a_list_by_payer_takes_as_many_queries_for_many_as_for_one(
    organization: Organization, payers: tuple[BillingAccount, BillingAccount]
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            listed(f"{PAYER}=us")
        return len(captured)

    make.a_binding(make.a_project(organization, "first"), payers[0], "first")
    one = queries()
    for number in range(5):
        make.a_binding(make.a_project(organization, f"web-{number}"), payers[0], f"web-{number}")
    assert queries() == one


@pytest.mark.django_db
def test_the_payer_is_found_by_an_index_of_its_name(everything: list[Project]) -> None:
    if connection.vendor == "postgresql":
        with as_owner(), connection.cursor() as cursor:
            # without statistics, since with so few rows the planner would scan the table or use any index
            cursor.execute(
                "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relnamespace = 'public'::regnamespace"
            )
            cursor.execute("DELETE FROM pg_statistic")
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = by(f"{PAYER}=us").apply(Project.objects.all()).explain()
    assert "account_by_name_and_key" in plan
    assert " SCAN " not in plan


@pytest.mark.django_db(transaction=True)
def test_to_a_watch_by_payer_a_project_comes_with_its_binding_and_goes_with_the_next(
    organization: Organization, payers: tuple[BillingAccount, BillingAccount]
) -> None:
    us, eu = payers
    first, second, third = (make.a_project(organization, name) for name in ("first", "second", "third"))
    make.a_binding(first, us, "first-to-us")
    rebind: Callable[..., object] = make.a_binding

    async def scenario() -> None:
        async with watching(a_watch(KIND, fields=f"{PAYER}=us")) as client:
            assert await client.take(1) == [("ADDED", "first")]
            entered = await client.next_after(rebind, second, us, "second-to-us")
            assert (entered["type"], entered["object"]["metadata"]["name"]) == ("ADDED", "second")
            await act(rebind, third, eu, "third-to-eu")
            await act(rebind, first, eu, "first-to-eu")
            assert await client.take(1) == [("DELETED", "first")]
            await act(archive_project, second.pk, actor=make.PLATFORM)
            assert await client.take(1) == [("DELETED", "second")]
            await act(rebind, first, us, "first-back")
            assert await client.take(1) == [("ADDED", "first")]
            await client.nothing()

    run(scenario)
