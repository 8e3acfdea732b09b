"""Pages are compressed where nothing of the request is repeated beside a secret."""

import gzip

import pytest
from django.test import Client

from billing.models import BillingAccount
from tests.admin.browser import list_of, page_of
from tests.admin.conftest import World

ASKING = {"Accept-Encoding": "gzip"}
pytestmark = pytest.mark.once


def test_a_page_is_compressed_and_the_same(world: World, operator: Client) -> None:
    answer = operator.get(page_of(world.us), headers=ASKING)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    page = gzip.decompress(answer.content)
    assert b"acme-us" in page
    assert len(answer.content) < len(page) / 4
    assert "Content-Encoding" not in operator.get(page_of(world.us)).headers


@pytest.mark.parametrize(
    "address",
    [
        f"{list_of(BillingAccount)}?q=acme",
        "/admin/second-factor/",
        "/admin/login/",
        "/admin/password-link/MQ/forged/",
        "/apis",
        "/admin/search/?s=acme",
    ],
)
def test_what_repeats_the_request_or_has_a_secret_is_not(address: str, world: World, operator: Client) -> None:
    assert "Content-Encoding" not in operator.get(address, headers=ASKING).headers


def test_the_answer_to_a_form_is_not_compressed(world: World, operator: Client) -> None:
    answer = operator.post(page_of(world.project, "bind"), headers=ASKING)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
