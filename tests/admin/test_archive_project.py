"""Archiving a project: the page says which binding ends; the button ends it."""

from django.test import Client

from billing.models import BillingAccountBinding
from tests.admin.browser import buttons, page_of, submit
from tests.admin.conftest import World
from tests.support.ledger import authors, nothing_changes


def test_the_page_says_which_binding_ends_and_changes_nothing(world: World, operator: Client) -> None:
    with nothing_changes():
        facts = dict(operator.get(page_of(world.project, "archive")).context["facts"])
    assert "acme-eu" in facts["Who pays now"]
    assert page_of(world.second) in facts["Binding that ends"]


def test_the_button_archives_the_project_and_ends_its_binding(world: World, operator: Client) -> None:
    answer = submit(operator, page_of(world.project, "archive"))
    assert answer.headers["Location"] == page_of(world.project)
    world.project.refresh_from_db()
    world.second.refresh_from_db()
    assert world.project.phase == "Archived"
    assert (world.second.phase, world.second.end_reason) == ("Ended", "ProjectArchived")
    assert "user:operator" in authors(world.project)
    assert not BillingAccountBinding.objects.paying().filter(project=world.project).exists()


def test_an_archived_project_offers_to_correct_its_past_alone_and_archiving_it_again_changes_nothing(
    world: World, operator: Client
) -> None:
    submit(operator, page_of(world.project, "archive"))
    assert buttons(operator.get(page_of(world.project))) == {page_of(world.project, "correct-payer")}
    with nothing_changes():
        assert operator.post(page_of(world.project, "archive")).status_code == 302
