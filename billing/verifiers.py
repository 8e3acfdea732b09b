"""The port to whoever knows whether a payment profile can be charged, and the adapter that checks form only."""

from typing import Any, Protocol

import structlog
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from billing.payment_profile import profiles
from milo.errors import Cause

log = structlog.get_logger(__name__)


class VerifierUnavailable(Exception):
    """The verifier cannot answer now; the account stays as it is and is tried again."""


class Verifier(Protocol):
    """Named by the setting MILO_PAYMENT_PROFILE_VERIFIER."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        """Every fault of `profile`; raises `VerifierUnavailable` where it cannot tell."""


class FormVerifier:
    """Checks the form of the references and nothing outside this machine."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        return profiles.causes(profile)


def verify(profile: dict[str, Any]) -> list[Cause]:
    """Every fault that the verifier of the settings finds in `profile`.

    Raises `VerifierUnavailable` where it cannot tell, or fails in a way of its own: a gateway's client raises what it
    likes, and its words may hold what nobody should read.
    """
    verifier: Verifier = import_string(settings.MILO_PAYMENT_PROFILE_VERIFIER)()
    try:
        return verifier.verify(profile)
    except VerifierUnavailable:
        raise
    except Exception as error:
        log.exception("verifier_failed", verifier=settings.MILO_PAYMENT_PROFILE_VERIFIER)
        raise VerifierUnavailable(_("the verifier of payment profiles failed")) from error
