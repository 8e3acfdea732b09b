"""Verifiers of payment profiles that tests name in MILO_PAYMENT_PROFILE_VERIFIER."""

from typing import Any, ClassVar

from billing.verifiers import VerifierUnavailable
from milo.errors import Cause

FORM = "billing.verifiers.FormVerifier"
AWAY = f"{__name__}.Away"
MOODY = f"{__name__}.Moody"
SWITCHED = f"{__name__}.Switched"


class Away:
    """Does not answer."""

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        raise VerifierUnavailable("the card network does not answer")


class Moody:
    """Declines, fails or agrees, as the card reference says, and remembers what it was asked."""

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
    """Moody, where it is not away."""

    away: ClassVar[bool] = False

    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        return Away().verify(profile) if self.away else super().verify(profile)
