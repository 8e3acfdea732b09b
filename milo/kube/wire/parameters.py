"""Query parameters of the Kubernetes API conventions, validated."""

import re
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _

from milo.errors import Cause, Invalid, Refused

_TRUE, _FALSE = ("true", "1", ""), ("false", "0")
VALIDATIONS = ("Strict", "Warn", "Ignore")
INCLUDES = ("None", "Metadata", "Object")
FLAGS = ("watch", "allowWatchBookmarks", "sendInitialEvents", "force")
CHOICES = {"fieldValidation": VALIDATIONS, "includeObject": INCLUDES, "dryRun": ("All",)}
NUMBERS = ("limit", "timeoutSeconds", "resourceVersion")
MAX_DIGITS = 18
MAX_VERSION = 10**MAX_DIGITS
EXACT, NOT_OLDER_THAN = MATCHES = ("Exact", "NotOlderThan")
TEXTS = ("continue", "fieldManager", "fieldSelector", "labelSelector")
SINGLE = (*FLAGS, *NUMBERS, *TEXTS, "fieldValidation", "includeObject", "resourceVersionMatch")
# https://kubernetes.io/docs/reference/kubernetes-api/common-parameters/, and parameters that client-go adds
STANDARD = frozenset({*SINGLE, "dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy"}) | {
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "timeout",
}
_SPELLINGS = {name.lower(): name for name in STANDARD}
_NO_LETTER = re.compile("[^a-z]")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Query parameters of one request. Each accessor raises `Refused` (BadRequest) for an invalid value."""

    query: QueryDict

    def check(self) -> None:
        """Raise `Refused` for a repeated parameter or an invalid value, whether or not the request uses it."""
        for name in SINGLE:
            if len(self.query.getlist(name)) > 1:
                raise Refused(_("%(name)s is given more than once") % {"name": name})
        for name in FLAGS:
            self.flag(name)
        for name in NUMBERS:
            self.number(name, 0)
        for name, choices in CHOICES.items():
            self.choice(name, choices, choices[0])
        bool(self.match)  # evaluated because it validates

    def unknown(self) -> list[str]:
        """Return the parameters that Kubernetes does not define. It ignores them."""
        return [name for name in self.query if name not in STANDARD]

    def refuse_misspelt(self) -> None:
        """Raise `Invalid` for a misspelling of a parameter of Kubernetes: a misspelt dryRun must not write."""
        causes = [
            Cause(f"query.{name}", _("is unknown; %(known)s is meant") % {"known": known}, "FieldValueNotSupported")
            for name in self.unknown()
            if (known := _SPELLINGS.get(_NO_LETTER.sub("", name.lower())))
        ]
        if causes:
            raise Invalid.because(causes)

    def flag(self, name: str) -> bool:
        value = self.query.get(name)
        if value is None or value.lower() in _FALSE:
            return False
        if value.lower() in _TRUE:
            return True
        raise Refused(_("%(name)s must be true or false") % {"name": name})

    def number(self, name: str, most: int) -> int:
        """Return a non-negative integer, at most `most`; 0 if absent. An empty resourceVersion counts as absent."""
        value = self.query.get(name)
        if value is None or (not value and name == "resourceVersion"):
            return 0
        if not (value.isascii() and value.isdigit()):
            raise Refused(_("%(name)s must be a whole number, not negative") % {"name": name})
        if len(value) > MAX_DIGITS:
            raise Refused(_("%(name)s is too large: at most %(digits)s digits") % {"name": name, "digits": MAX_DIGITS})
        return min(int(value), most)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.query.get(name, default)
        if value not in choices:
            raise Refused(_("%(name)s must be one of %(known)s") % {"name": name, "known": ", ".join(choices)})
        return value

    def text(self, name: str) -> str:
        value = str(self.query.get(name, ""))
        if "\x00" in value:
            raise Refused(_("%(name)s holds a NUL character") % {"name": name})
        return value

    @property
    def match(self) -> str:
        """Return resourceVersionMatch; "" if absent. Raises `Invalid` for an unknown value, like Kubernetes."""
        value = self.text("resourceVersionMatch")
        if value and value not in MATCHES:
            message = _("must be one of %(known)s") % {"known": ", ".join(MATCHES)}
            raise Invalid.because([Cause("resourceVersionMatch", message, "FieldValueNotSupported")])
        return value

    @property
    def dry_run(self) -> bool:
        values = self.query.getlist("dryRun")
        if values and set(values) != {"All"}:
            raise Refused(_("dryRun must be All"))
        return bool(values)

    @property
    def field_validation(self) -> str:
        return self.choice("fieldValidation", VALIDATIONS, "Strict")

    @property
    def include_object(self) -> str:
        return self.choice("includeObject", INCLUDES, "Metadata")
