"""`manage.py access_table`: the access table as a page, docs/access.md."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand

from milo.access import TABLE, Rule
from milo.kube.discovery.documents import REVIEWS
from milo.kube.discovery.endpoints import all_endpoints
from milo.kube.kinds import Kind, all_kinds

HEAD = """\
# Who may do what

Written by `manage.py access_table > docs/access.md` from the table in code (`milo/access.py`, with the rows of each
application in its `access.py`). Services, API and staff site check the same table, and
`kubectl auth can-i --list -n ORGANIZATION` answers from it. A role has no rights but those listed here. A test compares
this page with the code.

A role *in its organization* is a membership and holds for objects of that organization only. Objects of other
organizations are answered like missing ones (404). A role *across the platform* is a group of the user. A service
token never has more rights than its user, and fewer where it has scopes. Verbs are those of Kubernetes. An action is a
POST to the subresource of that name, for example `POST .../projects/website/archive`. Status and read subresources
(GET) need the verb `get` of the object, unless the list below a table says otherwise.

Nobody deletes an object that the ledger names. Four eyes are not a role: whoever asked for an approval, took the
request over, changed the account since its last approval, or made the credential used for one of these, cannot approve
it; superusers neither. A superuser has `platform-admin`, `finance-operator`, `finance-approver` and `auditor`.
"""


class Command(BaseCommand):
    help = "Print the access table as Markdown: which role may use which verbs and actions on which resource."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(page(), ending="")


def page() -> str:
    """Return docs/access.md as Markdown."""
    return "\n".join([HEAD, *(line for section in _sections() for line in section)])


def _sections() -> Iterator[list[str]]:
    kinds = {kind.plural: kind for kind in all_kinds()}
    endpoints = {endpoint.resource: endpoint for endpoint in all_endpoints()}
    by_resource: dict[str, list[Rule]] = defaultdict(list)
    for rule in TABLE:
        by_resource[rule.resource].append(rule)
    for resource in sorted(by_resource):
        kind = kinds.get(resource)
        place = "staff site and commands only"
        if resource in endpoints:
            place = f"POST /{endpoints[resource].path}"
        for group, reviews in REVIEWS.items():
            if resource in {review["name"] for review in reviews}:
                place = f"POST /apis/{group}/v1/{resource}"
        title = f"{resource}.{kind.group}" if kind else f"{resource} ({place})"
        yield [f"## {title}", "", *_table(by_resource[resource]), "", *_notes(kind)]


def _table(rules: Iterable[Rule]) -> Iterator[str]:
    held: dict[tuple[bool, str], list[Rule]] = defaultdict(list)
    for rule in rules:
        held[rule.organization, rule.role].append(rule)
    yield "| role | where | verbs | actions |"
    yield "|---|---|---|---|"
    for (organization, role), found in sorted(held.items()):
        where = "in its organization" if organization else "across the platform"
        verbs = ", ".join(dict.fromkeys(verb for rule in found for verb in rule.verbs))
        actions = ", ".join(dict.fromkeys(action for rule in found for action in rule.actions))
        yield f"| {role} | {where} | {verbs} | {actions} |"


def _notes(kind: Kind | None) -> Iterator[str]:
    notes = []
    if kind:
        notes += [f"- `{action.name}` needs `{action.permission}`" for action in kind.actions if action.permission]
        notes += [f"- `{subresource.name}` needs `{subresource.verb}`" for subresource in kind.read_subresources]
    if notes:
        yield from (*notes, "")
