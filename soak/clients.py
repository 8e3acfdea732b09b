"""The clients: threads that open, affiliate, bind, plan, suspend, approve, correct, close and report."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from soak import people
from soak.actions import Actions
from soak.world import Account, World

FEWEST_PROJECTS = 5
"""An organization that has so few archives none."""
RIVALRY, RIVALRY_OF_CLOSURES = 0.1, 0.5
"""How many binds, and how many closures, have a rival."""
CANCELLED, UNLOCKED, ENDED, PAID = 0.2, 0.6, 0.7, 0.5
"""How many plans are cancelled, locks opened, corrections have an end in the past, and accounts are paid by a group."""
SUSPENDED = 0.1
"""How often a group that is Ready is suspended: the longer it is, the fewer binds of accounts that it pays for."""


class Worker(threading.Thread):
    """One client, until the soak stops it. Now and then its `rival` does at the same time what must not go together."""

    def __init__(self, actions: Actions, rival: Actions, world: World, stopped: Callable[[], bool], seed: int) -> None:
        super().__init__(daemon=True, name=f"client-{seed}")
        self._actions, self._rival, self._world, self._stopped = actions, rival, world, stopped
        self._random = random.Random(seed)

    def run(self) -> None:
        while not self._stopped():
            self.act()

    def act(self) -> None:
        """Do one thing that a client does."""
        organization = self._random.choice(list(self._world.organizations))
        weights = {
            self._bind: 46,
            self._report_usage: 14,
            self._advance: 32,
            self._advance_group: 6,
            self._open_account: 1,
            self._affiliate: 3,
            self._actions.open_project: 3,
            self._archive: 3,
            self._plan: 4,
            self._lock: 3,
            self._correct: 4,
            self._close_month: 2,
        }
        (action,) = self._random.choices(list(weights), list(weights.values()))
        action(organization)

    def _open_account(self, organization: str) -> None:
        self._actions.open_account(organization, paid=self._random.random() < PAID)

    def _affiliate(self, organization: str) -> None:
        """Plan that an account is reported under the group, or cancel such a plan."""
        plans = list(self._world.organizations[organization].affiliations)
        if plans and self._random.random() < CANCELLED:
            self._actions.cancel_affiliation(organization, self._random.choice(plans))
        elif account := self._world.account(self._random, organization):
            self._actions.affiliate(organization, account.name)

    def _bind(self, organization: str) -> None:
        """Bind a project to another account; one in ten has a rival, who binds it to a third."""
        if not (chosen := self._world.project(self._random, organization)):
            return
        project, payer = chosen
        if not (account := self._world.ready_account(self._random, organization, payer)):
            return
        other = self._world.ready_account(self._random, organization, account.name)
        if other and self._random.random() < RIVALRY:
            with self._at_once(self._rival.bind, organization, project, other.name):
                self._actions.bind(organization, project, account.name)
        else:
            self._actions.bind(organization, project, account.name)

    def _approve(self, organization: str, account: Account, decider: str) -> None:
        """Approve the pending request of an account; some have a rival, who binds a project to it at once."""
        chosen = self._world.project(self._random, organization)
        if chosen and account.phase == "Ready" and self._random.random() < RIVALRY_OF_CLOSURES:
            with self._at_once(self._rival.bind, organization, chosen[0], account.name):
                self._actions.approve(organization, account, decider)
        else:
            self._actions.approve(organization, account, decider)

    @contextmanager
    def _at_once(self, act: Callable[[str, str, str], None], *arguments: str) -> Iterator[None]:
        rival = threading.Thread(target=act, args=arguments, daemon=True)
        rival.start()
        try:
            yield
        finally:
            rival.join()

    def _report_usage(self, organization: str) -> None:
        if chosen := self._world.project(self._random, organization):
            self._actions.report_usage(chosen[0])

    def _archive(self, organization: str) -> None:
        if len(self._world.organizations[organization].projects) > FEWEST_PROJECTS and (
            chosen := self._world.project(self._random, organization)
        ):
            self._actions.archive(organization, chosen[0])

    def _plan(self, organization: str) -> None:
        """Plan a move of up to three projects within seconds, or cancel a plan."""
        if self._random.random() < CANCELLED and (plan := self._world.plan(self._random, organization)):
            self._actions.cancel(organization, plan)
            return
        found = [self._world.project(self._random, organization) for _ in range(self._random.randint(1, 3))]
        projects = dict(filter(None, found))
        account = self._world.ready_account(self._random, organization, *projects.values())
        if projects and account:
            seconds = self._random.choice((0, self._random.uniform(5, 30)))
            self._actions.plan(organization, [*projects], account.name, seconds)

    def _lock(self, organization: str) -> None:
        """Lock the payer of a project, or unlock one that has been locked."""
        locked = self._world.locked(self._random, organization)
        if locked and self._random.random() < UNLOCKED:
            self._actions.unlock(organization, locked)
        elif chosen := self._world.project(self._random, organization):
            self._actions.lock(organization, chosen[0])

    def _correct(self, organization: str) -> None:
        """Request that another account should have paid for a project."""
        chosen = self._world.project(self._random, organization)
        account = self._world.ready_account(self._random, organization, chosen[1]) if chosen else None
        if chosen and account and not account.request:
            ended = self._random.random() < ENDED
            self._actions.correct(organization, account, chosen[0], ended, people.admin(organization))

    def _close_month(self, organization: str) -> None:
        if account := self._world.account(self._random, organization):
            self._actions.close_month(organization, account)

    def _advance(self, organization: str) -> None:
        """Take an account one step further: suspend, resolve, request, approve, close, reopen."""
        account = self._world.account(self._random, organization)
        if account is None:
            return
        if self._random.random() < 0.1:
            self._actions.refresh(organization, account)
        requester = self._requester(organization)
        if account.request:
            self._approve(organization, account, self._decider())
        elif account.phase == "Suspended":
            self._reactivate(organization, account, requester)
        elif account.phase == "Closed":
            self._actions.request(organization, account, "Reopen", requester)
        elif account.phase == "Ready" and not self._world.is_paying(organization, account.name):
            self._actions.request(organization, account, "Close", requester)
        elif account.phase == "Ready" and self._random.random() < 0.5:
            self._actions.suspend(organization, account)

    def _advance_group(self, organization: str) -> None:
        """Suspend the account that others are under now and then, and have it reactivated."""
        group = self._world.organizations[organization].group
        if group.request:
            self._actions.approve(organization, group, self._decider())
        elif group.phase == "Suspended":
            self._reactivate(organization, group, self._requester(organization))
        elif group.name and self._random.random() < SUSPENDED:
            self._actions.suspend(organization, group)

    def _reactivate(self, organization: str, account: Account, requester: str) -> None:
        if not self._actions.resolve(organization, account):
            self._actions.request(organization, account, "Reactivate", requester)

    def _requester(self, organization: str) -> str:
        return people.BOTH if self._random.random() < 0.2 else people.admin(organization)

    def _decider(self) -> str:
        """Return who approves; one in ten tries what must be refused: to approve the request of oneself."""
        return people.BOTH if self._random.random() < 0.1 else self._random.choice(people.approvers())


def open_everything(actions: Actions, world: World, accounts: int, projects: int) -> None:
    """Open the organizations, with so many accounts and projects each."""
    for organization in world.organizations:
        actions.open_organization(organization)
        actions.open_group(organization)
        for number in range(accounts):
            actions.open_account(organization, paid=number % 2 == 1)
        for _ in range(projects):
            actions.open_project(organization)
