"""Verifiers of payment profiles for the setting MILO_PAYMENT_PROFILE_VERIFIER in tests."""

from typing import Any, ClassVar

from billing.verifiers import VerifierUnavailable
from milo.errors import Cause

FORM = "billing.verifiers.FormVerifier"
AWAY = f"{__name__}.Away"
MOODY = f"{__name__}.Moody"
SWITCHED = f"{__name__}.Switched"


class Away:
    """A verifier that is unavailable."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        raise VerifierUnavailable("the card network does not answer")


class Moody:
    """A verifier that declines, fails or agrees by card reference, and records what it was asked."""

    asked: ClassVar[list[str]] = []

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        reference = profile["creditCard"]["cardReference"]
        self.asked.append(reference)
        if reference == "cc-broken":
            raise RuntimeError("a bug of the verifier")
        if reference == "cc-declined":
            return [Cause("spec.paymentProfile.creditCard", "was declined")]
        return []


class Switched(Moody):
    """A `Moody` verifier that can be made unavailable (`away`)."""

    away: ClassVar[bool] = False

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        return Away().verify(profile) if self.away else super().verify(profile)
