"""Label and field selectors, parsed once and evaluated both in SQL (lists) and on manifests (watches).

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Protocol, TypeVar

from django.db.models import BooleanField, F, Func, Model, Q, QuerySet, TextField, Value
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
    """The value of a label in SQL; NULL if absent.

    Django's `KeyTransform` would take a key of digits for an array index, but digits are a valid label key.
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


class HasLabel(Func):
    """Whether an object has a label, with the value `value` unless that is None. PostgreSQL answers by `LabelIndex`."""

    output_field = BooleanField()

    def __init__(self, key: str, value: str | None = None) -> None:
        super().__init__(F("labels"), Value(key if value is None else json.dumps({key: value})), key=key, value=value)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        label, value = LabelValue(self.extra["key"]), self.extra["value"]
        same: Any = IsNull(label, False) if value is None else Exact(label, value)
        return compiler.compile(same.resolve_expression(compiler.query))

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(%(expressions)s)" if self.extra["value"] is None else "(%(expressions)s::jsonb)"
        operator = " ? " if self.extra["value"] is None else " @> "
        return super().as_sql(compiler, connection, template=template, arg_joiner=operator, **context)


class Requirement(Protocol):
    """One requirement of a selector, as a condition in SQL and as a test of a manifest. Both must agree."""

    def condition(self) -> Q: ...

    def matches(self, manifest: Mapping[str, Any]) -> bool: ...


@dataclass(frozen=True, slots=True)
class LabelExists:
    """`key`, or `!key` if not `positive`."""

    key: str
    positive: bool

    def condition(self) -> Q:
        return Q(HasLabel(self.key)) if self.positive else Q(IsNull(LabelValue(self.key), True))

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        return (self.key in _labels(manifest)) is self.positive


@dataclass(frozen=True, slots=True)
class LabelIn:
    """`key in (values)`, or `key notin (values)` if not `positive`. The latter holds for objects without the label."""

    key: str
    values: frozenset[str]
    positive: bool

    def condition(self) -> Q:
        if self.positive:
            return reduce(or_, (Q(HasLabel(self.key, value)) for value in sorted(self.values)))
        return ~Q(In(LabelValue(self.key), sorted(self.values))) | Q(IsNull(LabelValue(self.key), True))

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        return (_labels(manifest).get(self.key) in self.values) is self.positive


class LeadingZeros(Func):
    """Remove the leading zeros of a text in SQL."""

    function, template, output_field = "LTRIM", "%(function)s(%(expressions)s, '0')", TextField()


@dataclass(frozen=True, slots=True)
class LabelCompares:
    """`key>value` if `above`, else `key<value`.

    As in Kubernetes, a label that is no 64-bit integer matches neither. A label value cannot have a sign.
    """

    key: str
    value: int
    above: bool

    def condition(self) -> Q:
        digits = Q(HasLabel(self.key)) & Q(Regex(LabelValue(self.key), _DIGITS))
        if self.above:
            return digits & self._beyond(GreaterThan, self.value) & self._beyond(LessThan, _INT64)
        return digits & self._beyond(LessThan, self.value)

    def _beyond(self, lookup: Any, bound: int) -> Q:
        """Compare as text: first the number of digits, then the digits. A cast would fail beyond 64 bits."""
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
    """`path=value`, or `path!=value` if not `positive`. An absent field equals "".

    `column` is the kind's `FieldColumn`; "" for a field that no object of the kind has.
    """

    path: str
    column: FieldColumn
    value: str
    positive: bool

    def condition(self) -> Q:
        if not self.column:
            return Q() if self.matches({}) else Q(pk__in=[])
        if callable(self.column):
            equal = self.column(self.value)
        else:
            equal = Q(**{self.column: self.value})
            if not self.value:
                equal |= Q(**{f"{self.column}__isnull": True})
        return equal if self.positive else ~equal

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        value: Any = manifest
        for step in self.path.split("."):
            value = value.get(step, "") if isinstance(value, Mapping) else ""
        return (value == self.value) is self.positive


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a list or watch: those that meet every requirement."""

    requirements: tuple[Requirement, ...] = ()

    def apply(self, queryset: "QuerySet[M]") -> "QuerySet[M]":
        """Return the selected rows. The whole selection runs in SQL."""
        for requirement in self.requirements:
            queryset = queryset.filter(requirement.condition())
        return queryset

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        """Return whether the object of a manifest is selected. Agrees with `apply` on its row."""
        return all(requirement.matches(manifest) for requirement in self.requirements)


def parse(kind: Kind, label_selector: str, field_selector: str) -> Selection:
    """Parse the `labelSelector` and `fieldSelector` of a request.

    Raises `Refused` (BadRequest) for invalid syntax, for fields that are not selectable, and for selectors of more than
    `LENGTH_LIMIT` characters or `REQUIREMENTS_LIMIT` requirements.
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
        match = _LABEL_REQUIREMENT.match(text, position)
        if match is None:
            raise Refused(_('invalid label selector at "%(text)s"') % {"text": excerpt(text[position:], 80)})
        yield _label_requirement(match)
        position, more = match.end(), match["end"] == ","


def _label_requirement(match: "re.Match[str]") -> Requirement:
    key = match["key"] or match["absent"]
    if not is_qualified_name(key):
        raise Refused(_('invalid label selector: "%(key)s" is not a label key') % {"key": excerpt(key, 80)})
    if match["sign"] in (">", "<"):
        return LabelCompares(key, _integer(match["value"]), above=match["sign"] == ">")
    if match["sign"]:
        values = frozenset([match["value"]])
    elif match["word"]:
        # `in ()` contains the empty value, as in Kubernetes
        values = frozenset(value.strip() for value in match["values"].split(","))
    else:
        return LabelExists(key, positive=match["absent"] is None)
    for value in values:
        if not is_label_value(value):
            raise Refused(_('invalid label selector: "%(value)s" is not a label value') % {"value": excerpt(value, 80)})
    return LabelIn(key, values, positive=match["sign"] in ("=", "==") or match["word"] == "in")


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
        match = _FIELD_REQUIREMENT.fullmatch(term)
        if match is None or "\0" in term:
            raise Refused(_('invalid field selector "%(term)s"') % {"term": excerpt(term, 80).replace("\0", "")})
        path = match["path"]
        if path not in columns:
            message = _('field "%(path)s" of %(resource)s is not selectable; selectable are %(fields)s')
            fields = ", ".join(sorted(columns))
            raise Refused(message % {"path": excerpt(path, 80), "resource": kind.resource, "fields": fields})
        value = re.sub(r"\\(.)", r"\1", match["value"])
        yield FieldEquals(path, columns[path], value, positive=match["sign"] != "!=")
