"""The query parameters that the Kubernetes API conventions name, checked."""

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
MAX_VERSION = 10**18
EXACT, NOT_OLDER_THAN = MATCHES = ("Exact", "NotOlderThan")
TEXTS = ("continue", "fieldManager", "fieldSelector", "labelSelector")
SINGLE = (*FLAGS, *NUMBERS, *TEXTS, "fieldValidation", "includeObject", "resourceVersionMatch")
# https://kubernetes.io/docs/reference/kubernetes-api/common-parameters/, and what client-go sends by itself
STANDARD = frozenset({*SINGLE, "dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy"}) | {
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "timeout",
}
_SPELLINGS = {name.lower(): name for name in STANDARD}
_NO_LETTER = re.compile("[^a-z]")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Query parameters of one request; each refuses what it does not understand with BadRequest."""

    query: QueryDict

    def check(self) -> None:
        """Refuse a value that is not understood, also of a parameter that this request has no use for."""
        for name in SINGLE:
            if len(self.query.getlist(name)) > 1:
                raise Refused(_("%(name)s is given more than once") % {"name": name})
        for name in FLAGS:
            self.flag(name)
        for name in NUMBERS:
            self.number(name, 0)
        for name, choices in CHOICES.items():
            self.choice(name, choices, choices[0])
        bool(self.match)  # refuses, as the others do

    def unknown(self) -> list[str]:
        """The parameters that Kubernetes does not know either, which it ignores."""
        return [name for name in self.query if name not in STANDARD]

    def refuse_misspelt(self) -> None:
        """Raise `Invalid` for one of Kubernetes' names in another spelling: a misspelt dryRun must not write."""
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
        """A whole number from 0 to `most`; 0 where it is not given. An empty resourceVersion is none."""
        value = self.query.get(name)
        if value is None or (not value and name == "resourceVersion"):
            return 0
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise Refused(_("%(name)s must be a whole number, not negative") % {"name": name})
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
        """resourceVersionMatch; empty where it is not given. Raises `Invalid` for an unknown value, as Kubernetes."""
        value = self.text("resourceVersionMatch")
        if value and value not in MATCHES:
            message = _("must be one of %(known)s") % {"known": ", ".join(MATCHES)}
            raise Invalid.because([Cause("resourceVersionMatch", message, "FieldValueNotSupported")])
        return value

    @property
    def dry_run(self) -> bool:
        given = self.query.getlist("dryRun")
        if given and set(given) != {"All"}:
            raise Refused(_("dryRun must be All"))
        return bool(given)

    @property
    def field_validation(self) -> str:
        return self.choice("fieldValidation", VALIDATIONS, "Strict")

    @property
    def include_object(self) -> str:
        return self.choice("includeObject", INCLUDES, "Metadata")
