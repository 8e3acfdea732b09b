"""A form is sent while somebody else's change is not committed yet: it is compared with what is there after that."""

from functools import partial
from typing import Any

import pytest
from django.test import Client

from tests.admin.browser import browser, errors, filled_in
from tests.admin.conftest import World
from tests.admin.test_conflicts import CASES, opened
from tests.support import make
from tests.support.interleaving import then
from tests.support.ledger import nothing_changes, touch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client() -> Client:
    return browser(make.a_person("root", is_staff=True, is_superuser=True))


@pytest.mark.parametrize("of", CASES, ids=lambda of: f"{of[0].__name__}-{of[1]}")
def test_a_change_that_is_committed_while_the_form_waits_for_the_lock_is_seen(
    of: tuple[type, str], world: World, client: Client
) -> None:
    client, row, address, _answers, form = opened(of, world, client)
    sent = {**form, "confirm": "1"}
    page: Any = then(partial(touch, row), partial(client.post, address, sent))
    assert "has been modified" in errors(page)["__all__"][0]
    with nothing_changes():
        client.post(address, sent)
    assert client.post(address, {**filled_in(page), "confirm": "1"}).status_code == 302
