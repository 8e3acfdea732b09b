"""Acts on one tree at the same moment: no cycle, no parent that cannot pay, no second fact, and nobody deadlocks."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from billing.models import BillingAccount, BillingAccountAffiliation
from billing.services.affiliations import facts, inspection, payers
from billing.services.affiliations.cancellations import cancel
from billing.services.affiliations.trees import Tree
from billing.services.notices.deliveries import announce_due
from billing.services.projects import archive_project
from billing.services.suspensions import suspend
from milo.access import Actor
from milo.errors import Invalid, Unavailable
from projects.models import Project
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months, month
from tests.support.interleaving import side_by_side
from tests.support.ledger import assert_history_explains, assert_watchers_see
from tests.support.threads import Outcome, at_once

__all__ = ["in_months"]
pytestmark = pytest.mark.django_db(transaction=True)
RACES = 6


def settled(outcome: Sequence[Outcome]) -> bool:
    """Whether neither call failed otherwise than by a refusal."""
    return all(not isinstance(each, Exception) or isinstance(each, Invalid | Unavailable) for each in outcome)


def assert_whole(account: BillingAccount) -> None:
    assert [str(each) for each in payers.differences(account.organization_id)] == [*inspection.breaks()] == []
    account.refresh_from_db()
    announce_due()
    assert_watchers_see(account)
    assert_history_explains(account)


def test_two_affiliations_that_make_a_cycle_together_are_one() -> None:
    organization = make.an_organization()
    for _race in range(RACES):
        one, other = (make.a_ready_account(organization) for _ in range(2))
        outcome = at_once([partial(an_affiliation, one, other), partial(an_affiliation, other, one)])
        assert settled(outcome), outcome
        assert sum(isinstance(each, Invalid) for each in outcome) == 1
        tree = Tree.of(organization.pk, month())
        assert sorted((tree.depth(one.pk), tree.depth(other.pk))) == [1, 2]
        assert_whole(one)
        assert_whole(other)


RIVALS: dict[str, Callable[[BillingAccount, BillingAccount, Project], object]] = {
    "suspend": lambda child, parent, project: suspend(
        parent.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM
    ),
    "close": lambda child, parent, project: make.an_approved(parent, "Close"),
    "bind": lambda child, parent, project: make.a_binding(project, child),
}


@pytest.mark.parametrize("rival", RIVALS)
def test_an_affiliation_races(rival: str) -> None:
    organization = make.an_organization()
    for _race in range(RACES):
        child, parent = (make.a_ready_account(organization) for _ in range(2))
        project = make.a_project(organization)
        acts: list[Callable[[], object]] = [
            partial(an_affiliation, child, parent),
            partial(RIVALS[rival], child, parent, project),
        ]
        outcome = at_once(acts)
        assert settled(outcome), outcome
        assert not all(isinstance(each, Exception) for each in outcome), outcome
        parent.refresh_from_db()
        if isinstance(outcome[0], Exception):
            assert not isinstance(outcome[1], Exception)
        else:
            assert (parent.phase == "Closed") is False
        assert_whole(child)


def test_a_group_is_suspended_while_a_project_of_an_account_that_it_pays_for_is_archived() -> None:
    organization = make.an_organization()
    child, group = (make.a_ready_account(organization) for _ in range(2))
    an_affiliation(child, group, payer="Parent")
    project = make.a_project(organization, contact_email_addresses=["project@acme.example"])
    make.a_binding(project, child)
    # the notice to the project names its row, which PostgreSQL asks for at the commit: behind the counter
    outcome = side_by_side(
        lambda: suspend(group.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM),
        lambda: archive_project(project.pk, actor=make.PLATFORM),
    )
    assert [type(each) for each in outcome] == [BillingAccount, Project], outcome
    assert_whole(child)


def test_a_closed_account_is_reopened_or_the_account_above_it_closes() -> None:
    organization = make.an_organization()
    another = Actor("user:second-approver", make.APPROVER.roles)
    for race in range(RACES):
        child, parent = (make.a_ready_account(organization) for _ in range(2))
        an_affiliation(child, parent, payer=("Parent", "Self")[race % 2])
        make.in_phase(child, "Closed")
        requests = make.a_request(child, "Reopen"), make.a_request(parent, "Close")
        outcome = at_once([partial(make.approve, each.pk, actor=another) for each in requests])
        assert settled(outcome), outcome
        assert sum(isinstance(each, Invalid) for each in outcome) == 1, outcome
        assert_whole(child)


@pytest.mark.parametrize("rival", ["second worker", "cancel", "bind"])
def test_a_due_plan_races(rival: str, in_months: Months) -> None:
    organization = make.an_organization()
    children = [make.a_ready_account(organization) for _ in range(RACES)]
    group = make.a_ready_account(organization)
    projects = [make.a_project(organization) for _ in range(RACES)]
    plans = [an_affiliation(child, group, after=1) for child in children]
    in_months.go(work=False)
    rivals: dict[str, Callable[[int], object]] = {
        "second worker": lambda at: facts.settle(plans[at].pk),
        "cancel": lambda at: cancel(plans[at].pk, reason="put off", actor=make.PLATFORM),
        "bind": lambda at: make.a_binding(projects[at], children[at]),
    }
    for at, plan in enumerate(plans):
        acts: list[Callable[[], object]] = [partial(facts.settle, plan.pk), partial(rivals[rival], at)]
        outcome = at_once(acts)
        assert settled(outcome), outcome
        plan.refresh_from_db()
        # an account that was bound first is used, and its payer of record changes by an approved request alone
        assert plan.phase in {"cancel": ("Active", "Cancelled"), "bind": ("Active", "Failed")}.get(rival, ("Active",))
        assert BillingAccountAffiliation.objects.facts().filter(account=children[at]).count() <= 1
        assert_whole(children[at])


def test_many_bind_into_one_tree_while_its_payer_is_bound_to() -> None:
    """Binds lock payers of record in the order of keys, so that none waits in a ring."""
    organization = make.an_organization()
    early, group = (make.a_ready_account(organization) for _ in range(2))
    late = make.a_ready_account(organization)
    for child in (early, late):
        an_affiliation(child, group)
    projects = [make.a_project(organization) for _ in range(3 * RACES)]
    for project, account in zip(projects, [early, group, late] * RACES, strict=True):
        make.a_binding(project, account)
    for start in range(0, len(projects), 6):
        part = projects[start : start + 6]
        acts = [
            partial(make.a_binding, project, account)
            for project, account in zip(part, [group, late, early, late, early, group], strict=True)
        ]
        outcome = at_once(acts)
        assert not [each for each in outcome if isinstance(each, Exception)], outcome
