"""What a rule says of an account."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.utils.translation import gettext as _

from milo.errors import Cause


class Severity(StrEnum):
    ERROR = "Error"
    WARNING = "Warning"
    INFO = "Info"


class Confidence(StrEnum):
    """How well a fact is known: by its primary or two sources, by one, or only to be verified before use."""

    HIGH = "H"
    MEDIUM = "M"
    LOW = "L"


def error_if(firm: bool) -> Severity:
    """Return the severity of a fault: a soft rule warns (docs/compliance.md, "Firm and soft rules")."""
    return Severity.ERROR if firm else Severity.WARNING


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule says of one field, in words that a finance person understands.

    `rule` is the rule's id, `effective_from` the day it took effect (None where the data give none), `source` the
    keys of `data/sources.tsv` separated by semicolons, or empty.
    """

    severity: Severity
    field: str
    message: str
    rule: str
    effective_from: date | None = None
    confidence: Confidence | None = None
    source: str = ""
    reason: str = "FieldValueInvalid"

    @property
    def because(self) -> str:
        """The rule that decided, in brackets behind a message: its id, since when, how well known, and from where."""
        parts = [_("rule %(rule)s") % {"rule": self.rule}]
        if self.effective_from:
            parts.append(_("in force from %(day)s") % {"day": self.effective_from.isoformat()})
        if self.confidence:
            parts.append(_("confidence %(level)s") % {"level": self.confidence})
        parts.append(_("source %(keys)s") % {"keys": self.source} if self.source else _("no source recorded"))
        return ", ".join(parts)

    def cause(self) -> Cause:
        """This finding as a cause of a refusal, with the rule that decided."""
        return Cause(self.field, f"{self.message} ({self.because})", self.reason)
