"""Refusals of the domain: every one is a `Refused`, with the fields that caused it."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a refusal: `field` is its path in the manifest (`spec.currencyCode`), `reason` a cause type.

    `rule` is the id of the rule that was broken, if it has one. Metrics count refusals by it; clients do not see it.
    """

    field: str
    message: str
    reason: str = "FieldValueInvalid"
    rule: str = dataclasses.field(default="", compare=False)

    @classmethod
    def required(cls, field: str, message: str = "") -> "Cause":
        return cls(field, message or _("is required"), "FieldValueRequired")

    @classmethod
    def not_found(cls, field: str, message: str) -> "Cause":
        return cls(field, message, "FieldValueNotFound")


class Refused(Exception):
    """A request that the domain refuses without changing anything. `reason` is a Kubernetes Status reason."""

    reason = "BadRequest"
    retry_after_seconds = 0
    """After how long the same request may succeed; 0 where time alone changes nothing."""

    def __init__(self, message: str, causes: Iterable[Cause] = ()) -> None:
        self.message = str(message)
        self.causes = tuple(causes)
        super().__init__(self.message)

    def __str__(self) -> str:
        return "; ".join([self.message, *(f"{cause.field}: {cause.message}" for cause in self.causes)])


class Invalid(Refused):
    """The content of the request, or the state of the objects, does not allow it."""

    reason = "Invalid"

    @classmethod
    def because(cls, causes: Iterable[Cause], message: str = "") -> "Invalid":
        """Return a refusal that names every cause at once."""
        return cls(message or _("the request is invalid"), causes)


class Forbidden(Refused):
    """The actor lacks the right."""

    reason = "Forbidden"


class NotFound(Refused):
    """The object does not exist, or the actor may not know of it."""

    reason = "NotFound"


class Conflict(Refused):
    """The object has changed since the caller read it."""

    reason = "Conflict"


class AlreadyExists(Refused):
    """The name is taken."""

    reason = "AlreadyExists"


class Unavailable(Refused):
    """A system that the request needs is unavailable; retry later."""

    reason = "ServiceUnavailable"
    retry_after_seconds = 5


class Busy(Refused):
    """Too much else is going on with the same objects; nothing has changed."""

    reason = "TooManyRequests"
    retry_after_seconds = 1


class TooSlow(Refused):
    """It took longer than it may; nothing has changed."""

    reason = "Timeout"
    retry_after_seconds = 5
