"""The port to whoever knows whether a payment profile can be charged, and the adapter that checks form only."""

from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from billing import payment_profile
from milo.errors import Cause


class VerifierUnavailable(Exception):
    """The verifier cannot answer now; the account stays as it is and is tried again."""


class Verifier(Protocol):
    """Named by the setting MILO_PAYMENT_PROFILE_VERIFIER."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        """Every fault of `profile`; raises `VerifierUnavailable` where it cannot tell."""


class FormVerifier:
    """Checks the form of the references and nothing outside this machine."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        return payment_profile.causes(profile)


def verifier() -> Verifier:
    """The verifier of the settings."""
    made: Verifier = import_string(settings.MILO_PAYMENT_PROFILE_VERIFIER)()
    return made
