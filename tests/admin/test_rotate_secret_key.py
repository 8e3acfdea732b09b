"""A new `MILO_SECRET_KEY` ends no session while the old one is a fallback."""

import pytest
from django.conf import settings
from django.test import Client, override_settings

pytestmark = [pytest.mark.django_db, pytest.mark.once]  # sessions are signed in Python


def test_a_session_goes_on_while_its_key_is_a_fallback(operator: Client) -> None:
    assert operator.get("/admin/").status_code == 200
    with override_settings(SECRET_KEY="a new key", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert operator.get("/admin/").status_code == 200


def test_a_session_ends_with_its_key(operator: Client) -> None:
    with override_settings(SECRET_KEY="a new key", SECRET_KEY_FALLBACKS=[]):
        assert operator.get("/admin/").status_code == 302
