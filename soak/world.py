"""What the clients believe to be there: names that they choose from, and how far each account is."""

import random
import threading
import time
from dataclasses import dataclass, field

LATE_SECONDS = 5.0
"""How long after its instant a payer change may not have taken effect yet."""


@dataclass(slots=True)
class Account:
    """An account as far as the clients know; others may have changed it since."""

    name: str
    phase: str = "Ready"
    request: str = ""
    """The pending approval request, if one is known."""
    closed_months: int = 0
    """How many months of usage are closed, if no other client closes them."""


@dataclass(slots=True)
class Organization:
    name: str
    accounts: dict[str, Account] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    """The payer of each project that is not archived; empty without one."""
    created: dict[str, float] = field(default_factory=dict)
    """The instant (Unix time) from which each project is there."""
    plans: dict[str, float] = field(default_factory=dict)
    """The payer changes that were not cancelled, and their instants (Unix time)."""
    locked: set[str] = field(default_factory=set)
    """The projects whose payer is locked."""
    group: Account = field(default_factory=lambda: Account(""))
    """The account that others come under; without a name until it is open."""
    affiliations: list[str] = field(default_factory=list)
    """Plans of accounts to come under the group."""


class World:
    """All organizations. Guesses are enough: a wrong one is refused by Milo, and read again."""

    def __init__(self, names: list[str]) -> None:
        self.organizations = {name: Organization(name) for name in names}
        self._lock = threading.Lock()
        self._last = 0

    def number(self) -> int:
        """Return a number that was not used before."""
        with self._lock:
            self._last += 1
            return self._last

    def add_account(self, organization: str, name: str) -> None:
        with self._lock:
            self.organizations[organization].accounts[name] = Account(name)

    def add_project(self, organization: str, name: str) -> None:
        with self._lock:
            self.organizations[organization].projects[name] = ""
            self.organizations[organization].created[name] = time.time()

    def forget_project(self, organization: str, name: str) -> None:
        with self._lock:
            self.organizations[organization].projects.pop(name, None)

    def bound(self, organization: str, project: str, account: str) -> None:
        with self._lock:
            known = self.organizations[organization]
            if project in known.projects:
                known.projects[project] = account

    def account(self, chooser: random.Random, organization: str) -> Account | None:
        with self._lock:
            accounts = list(self.organizations[organization].accounts.values())
        return chooser.choice(accounts) if accounts else None

    def ready_account(self, chooser: random.Random, organization: str, *besides: str) -> Account | None:
        with self._lock:
            known = self.organizations[organization].accounts.values()
            accounts = [each for each in known if each.phase == "Ready" and each.name not in besides]
        return chooser.choice(accounts) if accounts else None

    def project(self, chooser: random.Random, organization: str) -> tuple[str, str] | None:
        """Return a project and its payer."""
        with self._lock:
            projects = list(self.organizations[organization].projects.items())
        return chooser.choice(projects) if projects else None

    def created_at(self, organization: str, project: str) -> float:
        with self._lock:
            return self.organizations[organization].created[project]

    def plan(self, chooser: random.Random, organization: str) -> str:
        """Return a payer change that may still be cancelled; empty without one."""
        with self._lock:
            known = self.organizations[organization].plans.items()
            plans = [name for name, at in known if at > time.time() - LATE_SECONDS]
        return chooser.choice(plans) if plans else ""

    def add_plan(self, organization: str, name: str, at: float) -> None:
        with self._lock:
            self.organizations[organization].plans[name] = at

    def forget_plan(self, organization: str, name: str) -> None:
        with self._lock:
            self.organizations[organization].plans.pop(name, None)

    def locked(self, chooser: random.Random, organization: str) -> str:
        """Return a project whose payer is locked; empty without one."""
        with self._lock:
            projects = sorted(self.organizations[organization].locked)
        return chooser.choice(projects) if projects else ""

    def lock(self, organization: str, project: str) -> None:
        with self._lock:
            self.organizations[organization].locked.add(project)

    def unlock(self, organization: str, project: str) -> None:
        with self._lock:
            self.organizations[organization].locked.discard(project)

    def is_paying(self, organization: str, account: str) -> bool:
        with self._lock:
            return account in self.organizations[organization].projects.values()
