"""The interface to a payment provider that verifies payment profiles, and the default, which checks form only."""

from typing import Any, Protocol

import structlog
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from billing.payment_profile import profiles
from milo.errors import Cause

log = structlog.get_logger(__name__)


class VerifierUnavailable(Exception):
    """The verifier cannot answer now. The account stays as it is and is validated again later."""


class Verifier(Protocol):
    """The interface of the class that the setting MILO_PAYMENT_PROFILE_VERIFIER names."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        """Return every fault of `profile`. Raises `VerifierUnavailable` if it cannot tell now."""


class FormVerifier:
    """Checks the form of the references, without any service outside this machine."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        return profiles.causes(profile)


def verify(profile: dict[str, Any]) -> list[Cause]:
    """Return every fault that the configured verifier finds in `profile`.

    Raises `VerifierUnavailable` if it cannot tell, or raises any other exception: clients of payment gateways have
    exceptions of their own, whose texts may contain secrets and so are only logged.
    """
    verifier: Verifier = import_string(settings.MILO_PAYMENT_PROFILE_VERIFIER)()
    try:
        return verifier.verify(profile)
    except VerifierUnavailable:
        raise
    except Exception as error:
        log.exception("verifier_failed", verifier=settings.MILO_PAYMENT_PROFILE_VERIFIER)
        raise VerifierUnavailable(_("the verifier of payment profiles failed")) from error
