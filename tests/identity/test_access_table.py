"""The access table: its page is what the code has, and its rows are about things that exist."""

from io import StringIO
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from milo.access import TABLE
from milo.kube.kinds import all_kinds
from projects.access import PLATFORM_ROLES
from projects.models import Membership

PAGE = Path(settings.BASE_DIR, "docs/access.md")
VERBS = {"get", "list", "watch", "create", "update", "patch", "delete"}


def test_the_page_is_what_the_command_prints() -> None:
    printed = StringIO()
    call_command("access_table", stdout=printed)
    assert PAGE.read_text() == printed.getvalue(), "run: manage.py access_table > docs/access.md"


def test_every_kind_and_every_act_has_somebody_who_may() -> None:
    for kind in all_kinds():
        rules = [rule for rule in TABLE if rule.resource == kind.plural]
        assert {"get", "list", "watch"} <= {verb for rule in rules for verb in rule.verbs}, kind
        assert {act.required for act in kind.actions} == {act for rule in rules for act in rule.actions}, kind


def test_every_row_is_about_a_known_role_and_known_verbs() -> None:
    for rule in TABLE:
        known = Membership.Role.values if rule.organization else (*PLATFORM_ROLES, "platform-admin", "auth-delegator")
        assert rule.role in known, rule
        assert set(rule.verbs) <= VERBS, rule


def test_a_verb_is_granted_only_where_the_kind_has_it() -> None:
    verbs = {kind.plural: set(kind.verbs) for kind in all_kinds()}
    for rule in TABLE:
        assert set(rule.verbs) <= verbs.get(rule.resource, VERBS), rule


def test_only_who_reads_a_kind_uses_its_acts() -> None:
    """An act answers with the object, so it must not show more than `get` would."""
    for rule in TABLE:
        if rule.actions and rule.resource in {kind.plural for kind in all_kinds()}:
            roles = {other.role for other in TABLE if other.resource == rule.resource and "get" in other.verbs}
            assert rule.role in roles, rule
