"""A fault of the setting MILO_OIDC is found by `manage.py check`."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

WHOLE: dict[str, Any] = {"issuer": "https://id.example", "audience": "milo", "jwks_url": "https://id.example/keys"}


@pytest.mark.parametrize("given", [{}, WHOLE, {**WHOLE, "groups": {"finance": "finance-operator"}}])
def test_no_provider_and_a_whole_one_pass(settings: Any, given: dict[str, Any]) -> None:
    settings.MILO_OIDC = given
    call_command("check")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"jwks_url": "http://id.example/keys"}, "https"),
        ({"jwks_url": "file:///etc/passwd"}, "https"),
        ({"issuer": ""}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"groups": {"finance": "finance-wizard"}}, "finance-wizard"),
        ({"groups": {"finance": "billing-admin"}}, "billing-admin"),
        ({"client_id": "milo"}, "go together"),
        (
            {"client_id": "milo", "authorization_url": "https://id.example/a", "token_url": "http://id.example/t"},
            "token",
        ),
        (
            {"client_id": "milo", "authorization_url": "http://id.example/a", "token_url": "https://id.example/t"},
            "auth",
        ),
        ({"algorithms": ["none"]}, "algorithms"),
    ],
)
def test_a_fault_is_named(settings: Any, change: dict[str, Any], told: str) -> None:
    settings.MILO_OIDC = WHOLE | change
    with pytest.raises(SystemCheckError, match=told):
        call_command("check")
