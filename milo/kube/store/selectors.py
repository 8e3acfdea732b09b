"""Label and field selectors: one parsed form that SQL and a watch answer alike.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.db.models import F, Func, Model, Q, QuerySet, TextField, Value
from django.db.models.functions import Length
from django.db.models.lookups import Exact, GreaterThan, In, IsNull, LessThan, Regex
from django.utils.translation import gettext as _

from milo.card_numbers import excerpt
from milo.errors import Refused
from milo.kube.kinds import FieldColumn, Kind
from milo.kube.names import is_label_value, is_qualified_name

LENGTH_LIMIT = 4096
REQUIREMENTS_LIMIT = 50
_LABEL_REQUIREMENT = re.compile(
    r"""\s*(?:!\s*(?P<absent>[^\s=!,()<>]+)
      |(?P<key>[^\s=!,()<>]+)
       (?:\s*(?P<sign>==|=|!=|>|<)\s*(?P<value>[^\s=!,()<>]*)
       |\s+(?P<word>in|notin)\s*\((?P<values>[^=!()<>]*)\))?
    )\s*(?P<end>,|$)""",
    re.VERBOSE,
)
_FIELD_TERM = re.compile(r"(?:\\.|[^,])+", re.DOTALL)
_FIELD_REQUIREMENT = re.compile(r"(?P<path>[^=!]*)(?P<sign>==|=|!=)(?P<value>(?:\\[\\,=]|[^\\,=])*)", re.DOTALL)
_DIGITS = "^[0-9]+$"
_INT64 = 2**63
M = TypeVar("M", bound=Model)


class LabelValue(Func):
    """The value of one label, or NULL.

    `KeyTransform` takes a key of digits for an array index, and digits are a valid label key.
    """

    output_field = TextField()

    def __init__(self, key: str) -> None:
        super().__init__(F("labels"), Value(key), key=key)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        path = Value(f'$."{self.extra["key"]}"')
        value = Func(self.source_expressions[0], path, function="JSON_EXTRACT", output_field=self.output_field)
        return value.as_sql(compiler, connection, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=" ->> ", **context)


class Requirement(Protocol):
    """One demand of a selector."""

    def condition(self) -> Q: ...

    def matches(self, manifest: Mapping[str, Any]) -> bool: ...


@dataclass(frozen=True, slots=True)
class LabelExists:
    """The object has (or, where not `wanted`, lacks) a label of this key."""

    key: str
    wanted: bool

    def condition(self) -> Q:
        return Q(IsNull(LabelValue(self.key), not self.wanted))

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        return (self.key in _labels(manifest)) is self.wanted


@dataclass(frozen=True, slots=True)
class LabelIn:
    """The label is one of `values`; where not `wanted` it is none of them, which holds without the label too."""

    key: str
    values: frozenset[str]
    wanted: bool

    def condition(self) -> Q:
        among = Q(In(LabelValue(self.key), sorted(self.values)))
        return among if self.wanted else ~among | Q(IsNull(LabelValue(self.key), True))

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        return (_labels(manifest).get(self.key) in self.values) is self.wanted


class LeadingZeros(Func):
    """A text of digits without its leading zeros."""

    function, template, output_field = "LTRIM", "%(function)s(%(expressions)s, '0')", TextField()


@dataclass(frozen=True, slots=True)
class LabelCompares:
    """The label is an integer above `value` or, where not `above`, below it.

    As in Kubernetes, a label that is no integer of 64 bits meets neither, and a label has no sign.
    """

    key: str
    value: int
    above: bool

    def condition(self) -> Q:
        digits = Q(Regex(LabelValue(self.key), _DIGITS))
        if self.above:
            return digits & self._beyond(GreaterThan, self.value) & self._beyond(LessThan, _INT64)
        return digits & self._beyond(LessThan, self.value)

    def _beyond(self, lookup: Any, bound: int) -> Q:
        """Compares digits by their number first: a cast would fail on those of more than 64 bits."""
        digits, limit = LeadingZeros(LabelValue(self.key)), str(bound).lstrip("0")
        same_length = Q(Exact(Length(digits), len(limit)))
        return Q(lookup(Length(digits), len(limit))) | (same_length & Q(lookup(digits, Value(limit))))

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        value = _labels(manifest).get(self.key, "")
        if not re.fullmatch(_DIGITS, value) or int(value) >= _INT64:
            return False
        return int(value) > self.value if self.above else int(value) < self.value


@dataclass(frozen=True, slots=True)
class FieldEquals:
    """The field at `path` of the manifest equals `value`; an absent field equals the empty text.

    `column` is what a kind declares for the field (see `FieldColumn`), empty for one that no object of the kind has.
    """

    path: str
    column: FieldColumn
    value: str
    wanted: bool

    def condition(self) -> Q:
        if not self.column:
            return Q() if self.matches({}) else Q(pk__in=[])
        if callable(self.column):
            equal = self.column(self.value)
        else:
            equal = Q(**{self.column: self.value})
            if not self.value:
                equal |= Q(**{f"{self.column}__isnull": True})
        return equal if self.wanted else ~equal

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        found: Any = manifest
        for step in self.path.split("."):
            found = found.get(step, "") if isinstance(found, Mapping) else ""
        return (found == self.value) is self.wanted


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or a watch is about: objects that meet every requirement."""

    requirements: tuple[Requirement, ...] = ()

    def apply(self, queryset: "QuerySet[M]") -> "QuerySet[M]":
        """The selected rows; all of it is said in SQL."""
        for requirement in self.requirements:
            queryset = queryset.filter(requirement.condition())
        return queryset

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        """Whether the object of this manifest is selected: the answer that `apply` gives for its row."""
        return all(requirement.matches(manifest) for requirement in self.requirements)


def parse(kind: Kind, label_selector: str, field_selector: str) -> Selection:
    """Read the `labelSelector` and `fieldSelector` of a request.

    Raises `Refused` (BadRequest) for bad syntax, for a field that is not selectable, and for selectors of more
    than `LENGTH_LIMIT` characters or `REQUIREMENTS_LIMIT` requirements.
    """
    for text in (label_selector, field_selector):
        if len(text) > LENGTH_LIMIT:
            raise Refused(_("a selector may have at most %(limit)s characters") % {"limit": LENGTH_LIMIT})
    requirements = (*_label_requirements(label_selector), *_field_requirements(kind, field_selector))
    if len(requirements) > REQUIREMENTS_LIMIT:
        raise Refused(_("a selector may have at most %(limit)s requirements") % {"limit": REQUIREMENTS_LIMIT})
    return Selection(requirements)


def _labels(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return manifest.get("metadata", {}).get("labels") or {}


def _label_requirements(text: str) -> Iterator[Requirement]:
    position, more = 0, bool(text.strip())
    while more:
        found = _LABEL_REQUIREMENT.match(text, position)
        if found is None:
            raise Refused(_('invalid label selector at "%(text)s"') % {"text": excerpt(text[position:], 80)})
        yield _label_requirement(found)
        position, more = found.end(), found["end"] == ","


def _label_requirement(found: "re.Match[str]") -> Requirement:
    key = found["key"] or found["absent"]
    if not is_qualified_name(key):
        raise Refused(_('invalid label selector: "%(key)s" is not a label key') % {"key": excerpt(key, 80)})
    if found["sign"] in (">", "<"):
        return LabelCompares(key, _integer(found["value"]), above=found["sign"] == ">")
    if found["sign"]:
        values = frozenset([found["value"]])
    elif found["word"]:
        # `in ()` holds the empty value, as in Kubernetes
        values = frozenset(value.strip() for value in found["values"].split(","))
    else:
        return LabelExists(key, wanted=found["absent"] is None)
    for value in values:
        if not is_label_value(value):
            raise Refused(_('invalid label selector: "%(value)s" is not a label value') % {"value": excerpt(value, 80)})
    return LabelIn(key, values, wanted=found["sign"] in ("=", "==") or found["word"] == "in")


def _integer(text: str) -> int:
    if not re.fullmatch(_DIGITS, text) or int(text) >= _INT64:
        raise Refused(_('invalid label selector: "%(value)s" is not an integer') % {"value": excerpt(text, 80)})
    return int(text)


def _field_requirements(kind: Kind, text: str) -> Iterator[Requirement]:
    columns: dict[str, FieldColumn] = {
        "metadata.name": "name",
        "metadata.namespace": f"{kind.organization_path}__name" if kind.namespaced else "",
        **kind.field_selectors,
    }
    for term in _FIELD_TERM.findall(text):
        found = _FIELD_REQUIREMENT.fullmatch(term)
        if found is None or "\0" in term:
            raise Refused(_('invalid field selector "%(term)s"') % {"term": excerpt(term, 80).replace("\0", "")})
        path = found["path"]
        if path not in columns:
            message = _('field "%(path)s" of %(resource)s is not selectable; selectable are %(fields)s')
            fields = ", ".join(sorted(columns))
            raise Refused(message % {"path": excerpt(path, 80), "resource": kind.resource, "fields": fields})
        value = re.sub(r"\\(.)", r"\1", found["value"])
        yield FieldEquals(path, columns[path], value, wanted=found["sign"] != "!=")
