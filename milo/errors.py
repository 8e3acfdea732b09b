"""The domain's "no": every refusal is a `Refused`, with the fields that caused it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of a refusal: `field` is its path in the manifest (`spec.currencyCode`), `reason` a cause type."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    @classmethod
    def required(cls, field: str, message: str = "") -> "Cause":
        return cls(field, message or _("is required"), "FieldValueRequired")

    @classmethod
    def not_found(cls, field: str, message: str) -> "Cause":
        return cls(field, message, "FieldValueNotFound")


class Refused(Exception):
    """An act that the domain refuses; nothing has changed. `reason` is a Kubernetes Status reason."""

    reason = "BadRequest"

    def __init__(self, message: str, causes: Iterable[Cause] = ()) -> None:
        self.message = str(message)
        self.causes = tuple(causes)
        super().__init__(self.message)

    def __str__(self) -> str:
        return "; ".join([self.message, *(f"{cause.field}: {cause.message}" for cause in self.causes)])


class Invalid(Refused):
    """The content or the state of the objects does not allow it."""

    reason = "Invalid"

    @classmethod
    def because(cls, causes: Iterable[Cause], message: str = "") -> "Invalid":
        """A refusal that names every cause at once."""
        return cls(message or _("the request is invalid"), causes)


class Forbidden(Refused):
    """The actor lacks the right."""

    reason = "Forbidden"


class NotFound(Refused):
    """There is no such object, or none that the actor may know of."""

    reason = "NotFound"


class Conflict(Refused):
    """The object has changed since the caller read it."""

    reason = "Conflict"


class AlreadyExists(Refused):
    """The name is taken."""

    reason = "AlreadyExists"


class Unavailable(Refused):
    """Something the act needs is away for the moment; trying again later is right."""

    reason = "ServiceUnavailable"
