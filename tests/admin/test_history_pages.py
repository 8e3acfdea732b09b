"""The history of a row: who, when, why, and what was different."""

import re
from typing import Any

from django.test import Client

from billing.models import BillingAccountBinding
from milo.admin.messages import why
from milo.admin.panels import moment
from milo.admin.reasons import reason
from projects.services.projects import ProjectSpec, revise_project
from tests.admin.browser import page_of
from tests.admin.conftest import World
from tests.support import make


def changes(record: Any) -> list[str]:
    return [str(change) for change in record.history_delta_changes]


def test_what_no_form_edits_is_among_the_differences(world: World, operator: Client) -> None:
    newest, oldest = operator.get(page_of(world.first, "history")).context["page_obj"]
    assert set(changes(newest)) == {
        "Phase: Active → Superseded",
        f"Ended at: - → {moment(world.first.ended_at)}",
        "End reason: - → Superseded",
    }
    assert not hasattr(oldest, "history_delta_changes")


def test_the_page_shows_who_and_why(world: World, operator: Client) -> None:
    page = operator.get(page_of(world.first, "history")).content.decode()
    assert "system:tests" in page
    assert why("Superseded: acme-eu pays from now on") in page
    assert why("SuccessfulBinding: acme-us pays for webapp-frontend") in page


def test_the_oldest_row_of_a_page_has_its_difference_too(world: World, operator: Client) -> None:
    for number in range(101):
        revise_project(world.project.pk, ProjectSpec(f"number {number}"), actor=make.PLATFORM)
    page = list(operator.get(page_of(world.project, "history")).context["page_obj"])
    assert len(page) == 100
    assert changes(page[0]) == ["Display name: number 99 → number 100"]
    assert changes(page[-1]) == ["Display name: number 0 → number 1"]


def test_a_past_version_is_shown_as_it_was_and_whose_it_is(world: World, operator: Client) -> None:
    past = world.first.history.earliest()
    page = operator.get(page_of(world.first, f"history/{past.pk}"))
    assert page.context["original"].phase == "Active"
    assert f"by system:tests: {reason('SuccessfulBinding')}" in page.content.decode()
    assert BillingAccountBinding.objects.get(pk=world.first.pk).phase == "Superseded"


def test_a_version_of_another_row_is_not_shown(world: World, operator: Client) -> None:
    foreign = world.second.history.earliest()
    assert operator.get(page_of(world.first, f"history/{foreign.pk}")).status_code == 404


def test_a_past_version_of_an_account_leads_back_to_its_history_and_closes_nothing(
    world: World, operator: Client
) -> None:
    page = operator.get(page_of(world.us, f"history/{world.us.history.earliest().pk}")).content.decode()
    back = re.findall(r'<a[^>]*href="([^"]*)"[^>]*>\s*Back\s*<', page)
    assert back == [page_of(world.us, "history")]
    assert not re.search(r">\s*Close\s*<", page)
