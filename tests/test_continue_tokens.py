"""Continue tokens: read by nobody but this server, also after its key was changed."""

import base64
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from milo import continue_tokens
from tests.support.ledger import refused

PLACE = [17, False, "acme-corp", "production"]


def raw(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


@pytest.mark.parametrize("place", [PLACE, [], None, {"a": "é"}, [2**63 - 1, "a" * 300]])
def test_a_token_is_read_as_it_was_made_and_is_safe_in_an_address(place: Any) -> None:
    token = continue_tokens.seal(place, "list a")
    assert continue_tokens.unseal(token, "list a") == place
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_token_shows_nothing_of_its_place() -> None:
    token = continue_tokens.seal(PLACE, "list a")
    for text in (b"acme-corp", b"production", b"list a"):
        assert text not in raw(token)
    assert token != continue_tokens.seal(PLACE, "list a")


def test_a_token_of_another_list_is_none() -> None:
    with refused(continue_tokens.Malformed):
        continue_tokens.unseal(continue_tokens.seal(PLACE, "list a"), "list b")


def test_a_token_outlives_its_key_among_the_fallbacks_and_not_beyond(settings: Settings) -> None:
    token = continue_tokens.seal(PLACE, "list a")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert continue_tokens.unseal(token, "list a") == PLACE
    settings.SECRET_KEY_FALLBACKS = []
    with refused(continue_tokens.Unreadable):
        continue_tokens.unseal(token, "list a")


@pytest.mark.parametrize("position", [1, 10, 26, -1])
def test_a_token_that_was_altered_cannot_be_read(position: int) -> None:
    altered = bytearray(raw(continue_tokens.seal(PLACE, "list a")))
    altered[position] ^= 1
    with refused(continue_tokens.Unreadable):
        continue_tokens.unseal(base64.urlsafe_b64encode(altered).decode().rstrip("="), "list a")


@pytest.mark.parametrize("text", ["", "x", "é", "\x00", "NQ==", "e30=", "a" * 5000, "gAAAAA", "\ud800"])
def test_what_has_not_the_form_of_a_token_is_none(text: str) -> None:
    with refused(continue_tokens.Malformed):
        continue_tokens.unseal(text, "list a")
