"""Findings: the results of rules."""

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
    """Confidence in a fact: high (primary source, or two sources), medium (one source), low (verify before use)."""

    HIGH = "H"
    MEDIUM = "M"
    LOW = "L"


def error_if(firm: bool) -> Severity:
    """Return Error for a firm rule, Warning for a soft one (docs/compliance.md, "Firm and soft rules")."""
    return Severity.ERROR if firm else Severity.WARNING


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement of a rule about one field; `message` is for finance people.

    `rule` is the id of the rule, `effective_from` the day on which it came into force (None if unknown), `source` the
    keys of `data/sources.tsv`, separated by semicolons, or empty.
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
        """Return the id, start, confidence and sources of the rule, as text to append to a message in brackets."""
        parts = [_("rule %(rule)s") % {"rule": self.rule}]
        if self.effective_from:
            parts.append(_("in force from %(day)s") % {"day": self.effective_from.isoformat()})
        if self.confidence:
            parts.append(_("confidence %(level)s") % {"level": self.confidence})
        parts.append(_("source %(keys)s") % {"keys": self.source} if self.source else _("no source recorded"))
        return ", ".join(parts)

    def cause(self) -> Cause:
        """Return the finding as a cause of a refusal; the message names the rule."""
        return Cause(self.field, f"{self.message} ({self.because})", self.reason, self.rule)
