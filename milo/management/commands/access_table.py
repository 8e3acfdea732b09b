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
application in its `access.py`), which services, API and staff site ask; a test compares the two. Whoever has no row
here may not. `kubectl auth can-i --list -n ORGANIZATION` answers from the same table.

A role *in its organization* is a membership and holds for objects of that organization alone; what belongs to another
organization answers exactly as what does not exist. A role *across the platform* is a group of the user. A service
token never has more than its user, and less where it has scopes. Verbs are those of Kubernetes; an act is a POST to the
subresource of that name, for example `POST .../projects/website/archive`. Status and readings (GET subresources) are
read by whoever may `get` the object, unless the list below each table says otherwise.

Nobody deletes anything that the ledger names, and four eyes are not a role: who asked for an approval, took the
request over, or changed the account since its last approval, or made the credential by which that was done, cannot
approve it, superusers included. A superuser has `platform-admin`, `finance-operator`, `finance-approver` and `auditor`.
"""


class Command(BaseCommand):
    help = "Print the access table as Markdown: which role may use which verbs and acts on which resource."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(page(), ending="")


def page() -> str:
    """docs/access.md as the table in code has it."""
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
    yield "| role | where | verbs | acts |"
    yield "|---|---|---|---|"
    for (organization, role), found in sorted(held.items()):
        where = "in its organization" if organization else "across the platform"
        verbs = ", ".join(dict.fromkeys(verb for rule in found for verb in rule.verbs))
        acts = ", ".join(dict.fromkeys(act for rule in found for act in rule.acts))
        yield f"| {role} | {where} | {verbs} | {acts} |"


def _notes(kind: Kind | None) -> Iterator[str]:
    if kind and kind.read_subresources:
        for reading in kind.read_subresources:
            who = f"whoever may `{reading.act}`" if reading.act else f"whoever may `{reading.verb}`"
            yield f"- `{reading.name}` is read by {who}"
        yield ""
