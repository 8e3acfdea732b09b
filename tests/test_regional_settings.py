"""The settings of regional rules and of the verifier are checked at the start."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MILO_PLATFORM_COUNTRY", "UK"),
        ("MILO_DATA_REGIONS", ["EU", "Moon"]),
        ("MILO_PAYMENT_PROFILE_VERIFIER", "billing.verifiers.Gateway"),
    ],
)
def test_a_setting_that_names_what_there_is_not_is_an_error(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    with pytest.raises(SystemCheckError, match=name):
        call_command("check")


def test_settings_that_name_what_there_is_are_none(settings: Any) -> None:
    settings.MILO_PLATFORM_COUNTRY, settings.MILO_DATA_REGIONS = "DE", ["EU", "US"]
    call_command("check")
