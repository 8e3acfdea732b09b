"""Service tokens on the staff site: the secret is shown once, and a revoked token admits nobody."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from milo.identity.models import ServiceToken, digest
from milo.identity.tokens import token_of
from tests.admin.browser import buttons, errors, list_of, page_of, submit, superuser
from tests.admin.conftest import World

ISSUE = "/admin/identity/servicetoken/issue/"


@pytest.fixture
def root(db: None) -> Client:
    return superuser()


def issued(world: World, root: Client, **answers: Any) -> Any:
    return submit(root, ISSUE, user=world.membership.user_id, description="deploys", **answers)


def test_the_secret_is_shown_once_and_admits_its_person(world: World, root: Client) -> None:
    page = issued(world, root)
    secret = page.context["secret"]
    assert secret in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    token = token_of(secret)
    assert token
    assert token.user == world.membership.user
    assert (token.description, token.expires_at) == ("deploys", None)
    shown = [list_of(ServiceToken), page_of(token), page_of(token, "history")]
    shown.append(page_of(token, f"history/{token.history.latest().pk}"))
    for address in shown:
        again = root.get(address).content.decode()
        assert secret not in again
        assert digest(secret) not in again


def test_a_token_ends_at_the_instant_in_utc_that_was_typed(world: World, root: Client) -> None:
    year = timezone.now().year + 1
    issued(world, root, expires_at=f"{year}-05-01T12:30")
    assert ServiceToken.objects.get(description="deploys").expires_at == datetime(year, 5, 1, 12, 30, tzinfo=UTC)


def test_an_end_in_the_past_is_refused_at_its_field(world: World, root: Client) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    page = issued(world, root, expires_at=yesterday.strftime("%Y-%m-%dT%H:%M"))
    assert list(errors(page)) == ["__all__", "expires_at"]
    assert not ServiceToken.objects.filter(description="deploys").exists()


def test_a_card_number_is_no_description(world: World, root: Client) -> None:
    page = submit(root, ISSUE, user=world.membership.user_id, description="4111111111111111")
    assert "description" in errors(page)
    assert ServiceToken.objects.count() == 1


def test_a_revoked_token_admits_nobody_and_is_not_offered_again(world: World, root: Client) -> None:
    secret = issued(world, root).context["secret"]
    token = ServiceToken.objects.get(description="deploys")
    assert page_of(token, "revoke") in buttons(root.get(page_of(token)))
    submit(root, page_of(token, "revoke"))
    assert token_of(secret) is None
    assert buttons(root.get(page_of(token))) == set()


def test_the_staff_of_finance_neither_see_nor_issue_nor_revoke_tokens(world: World, operator: Client) -> None:
    for address in (list_of(ServiceToken), page_of(world.token), ISSUE, page_of(world.token, "revoke")):
        assert operator.get(address).status_code == 403
    assert operator.post(ISSUE, {"user": world.membership.user_id, "description": "x"}).status_code == 403
    assert operator.post(page_of(world.token, "revoke")).status_code == 403
    world.token.refresh_from_db()
    assert ServiceToken.objects.get() == world.token
    assert world.token.revoked_at is None
