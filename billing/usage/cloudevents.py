"""Read one usage event in CloudEvents 1.0: it gives a `Fact`, or `Rejected` with its cause.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. The attributes id, source, type, time and subject
are required. Extension attributes belong to the transport; they are neither stored nor compared.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.usage import digests
from billing.usage.facts import Fact, content_of, key_of, text_of
from billing.usage.identifiers import id_holds_card_number, source_holds_card_number, text_holds_card_number
from billing.usage.quantities import FORM
from billing.usage.times import EARLIEST, END, FIRST, LATEST
from billing.usage.units import MAX_LENGTH, instead, is_unit
from milo import card_numbers
from milo.card_numbers import excerpt
from milo.errors import Cause

MAX_TEXT, MAX_DIMENSIONS = 200, 20
SUBJECT = re.compile(r"projects/([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?")
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
EXTENSION = re.compile(r"[a-z0-9]{1,20}")
# control characters, which CloudEvents allows in no attribute, and halves of surrogate pairs
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_KNOWN = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "data", "datacontenttype", "dataschema"},
)
_DATA = frozenset({"service", "meter", "quantity", "unit", "dimensions", "corrects"})
# lazy, at module level: an intake reads 10,000 events, and translates nothing unless one is rejected
_IS_TIME = gettext_lazy("must be an RFC 3339 timestamp with its offset")
_IN_RANGE = gettext_lazy("must lie between %(earliest)s and %(latest)s")
_IS_SUBJECT = gettext_lazy("must be projects/NAME")
_IS_NAME = gettext_lazy("must be letters, digits, . _ / -, at most 100 of them")
_IS_QUANTITY = gettext_lazy("must be a decimal in a string: at most 20 digits, and 12 after the point")


class Rejected(Exception):
    """An event is not accepted; `cause` says why. The other events of its batch are not affected."""

    def __init__(self, field: str, message: Any, reason: str = "FieldValueInvalid") -> None:
        # both repeat what was sent, which may be long or hold a card number
        self.cause = Cause(excerpt(field, MAX_TEXT), card_numbers.masked(str(message)), reason)
        super().__init__(f"{self.cause.field}: {self.cause.message}")


def _text(event: dict[str, Any], name: str, path: str = "") -> str:
    value = event.get(name)
    if type(value) is str and 0 < len(value) <= MAX_TEXT and (value.isprintable() or not _UNPRINTABLE.search(value)):
        return value
    if value is None or value == "":
        raise Rejected(path + name, _("is required"), "FieldValueRequired")
    if type(value) is not str:
        raise Rejected(path + name, _("must be a string"), "FieldValueTypeInvalid")
    if len(value) > MAX_TEXT:
        raise Rejected(path + name, _("may have at most %(n)d characters") % {"n": MAX_TEXT}, "FieldValueTooLong")
    raise Rejected(path + name, _("holds a character that cannot be stored"))


def _named(event: dict[str, Any], name: str, form: re.Pattern[str], message: Any, path: str = "") -> str:
    value = event.get(name)
    if type(value) is str and form.fullmatch(value):
        return value
    _text(event, name, path)
    raise Rejected(path + name, message)


def _time(event: dict[str, Any]) -> datetime:
    text = _named(event, "time", TIME, _IS_TIME)
    try:
        time = datetime.fromisoformat(text.upper())
        time = time if time.tzinfo is UTC else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Rejected("time", _("is no instant of the calendar")) from error
    if not FIRST <= time < END:
        raise Rejected("time", _IN_RANGE % {"earliest": EARLIEST, "latest": LATEST})
    return time


def _dimensions(data: dict[str, Any]) -> dict[str, str]:
    dimensions = data.get("dimensions")
    if dimensions is None:
        return {}
    if type(dimensions) is not dict or len(dimensions) > MAX_DIMENSIONS:
        raise Rejected("data.dimensions", _("must be an object of at most %(n)d strings") % {"n": MAX_DIMENSIONS})
    for name, value in dimensions.items():
        if not NAME.fullmatch(name):
            raise Rejected("data.dimensions", _("has a name that is none: letters, digits, . _ / -"))
        if value != "":
            _text(dimensions, name, "data.dimensions.")
    return dimensions


def _corrects(data: dict[str, Any], own: str) -> str | None:
    corrected = data.get("corrects")
    if corrected is None:
        return None
    if type(corrected) is not dict or set(corrected) != {"source", "id"}:
        raise Rejected("data.corrects", _("must name the source and the id of the event that is corrected"))
    source, id = _text(corrected, "source", "data.corrects."), _text(corrected, "id", "data.corrects.")
    _refuse_in_key(source, id, "data.corrects.")
    key = key_of(source, id)
    if key == own:
        raise Rejected("data.corrects", _("an event does not correct itself"))
    return key


def _data(event: dict[str, Any]) -> dict[str, Any]:
    if event.get("specversion") != "1.0":
        raise Rejected("specversion", _("must be 1.0"), "FieldValueNotSupported")
    if not _KNOWN.issuperset(event):
        for name in event.keys() - _KNOWN:
            if not EXTENSION.fullmatch(name) or name == "data_base64":
                raise Rejected(excerpt(name, 80), _("is no attribute of a usage event"), "FieldValueNotSupported")
    if event.get("datacontenttype", "application/json") != "application/json":
        raise Rejected("datacontenttype", _("must be application/json"), "FieldValueNotSupported")
    data = event.get("data")
    if type(data) is not dict:
        raise Rejected(
            "data", _("must be an object"), "FieldValueRequired" if data is None else "FieldValueTypeInvalid"
        )
    if not _DATA.issuperset(data):
        name = excerpt(min(data.keys() - _DATA), 80)
        raise Rejected(f"data.{name}", _("unknown field"), "FieldValueNotSupported")
    return data


class _Measured(NamedTuple):
    """What was measured, without quantity, time and project; `text` holds all of it, for the hash."""

    type: str
    service: str
    meter: str
    unit: str
    dimensions: str
    text: str


def _measured(values: dict[str, Any]) -> _Measured:
    type_ = _text(values, "type")
    service = _named(values, "service", NAME, _IS_NAME, "data.")
    meter = _named(values, "meter", NAME, _IS_NAME, "data.")
    unit = _text(values, "unit", "data.")
    if not is_unit(unit):
        raise Rejected("data.unit", _no_unit(unit))
    dimensions = orjson.dumps(_dimensions(values), option=orjson.OPT_SORT_KEYS).decode()
    text = text_of(type_, service, meter, unit, dimensions)
    if text_holds_card_number(text, values.get("dimensions") or {}):
        raise Rejected("", _("holds what looks like a card number"))
    return _Measured(type_, service, meter, unit, dimensions, text)


@lru_cache(1024)
def _measured_cached(values: bytes) -> _Measured:
    """Return `_measured` of a JSON text, cached: in a batch most events differ in quantity and time only."""
    return _measured(orjson.loads(values))


def read(event: Any) -> Fact:
    """Return the fact that `event`, a JSON value, reports. Raises `Rejected` with the first fault found."""
    if type(event) is not dict:
        raise Rejected("", _("must be an object"), "FieldValueTypeInvalid")
    data = _data(event)
    source, id = _text(event, "source"), _text(event, "id")
    _refuse_in_key(source, id)
    time = _time(event)
    project = _named(event, "subject", SUBJECT, _IS_SUBJECT).removeprefix("projects/")
    quantity = _named(data, "quantity", FORM, _IS_QUANTITY, "data.")
    if "." in quantity or quantity[0] == "-":
        quantity = _canonical(quantity)
    values = {
        "type": event.get("type"),
        "service": data.get("service"),
        "meter": data.get("meter"),
        "unit": data.get("unit"),
        "dimensions": data.get("dimensions"),
    }
    try:
        measured = _measured_cached(orjson.dumps(values, option=orjson.OPT_SORT_KEYS))
    except orjson.JSONEncodeError:
        # orjson reads deeper nesting than it writes; without the cache, the field at fault is named
        measured = _measured(values)
    key = key_of(source, id)
    corrects = _corrects(data, key) if "corrects" in data else None
    if quantity[0] == "-" and corrects is None:
        raise Rejected("data.quantity", _("only a correction may be negative"))
    instant = digests.instant(time)
    return Fact(
        source,
        id,
        measured.type,
        time,
        project,
        measured.service,
        measured.meter,
        quantity,
        measured.unit,
        measured.dimensions,
        corrects,
        key,
        content_of(instant, project, quantity, corrects, measured.text),
        instant,
    )


def _no_unit(unit: str) -> str:
    text = excerpt(unit, MAX_LENGTH)
    if (meant := instead(unit)) is not None:
        return _("%(unit)s is not what UCUM calls it: write %(meant)s") % {"unit": text, "meant": meant}
    return _("%(unit)s is no unit of UCUM, such as By, h or {request}") % {"unit": text}


def _canonical(quantity: str) -> str:
    if "." in quantity:
        quantity = quantity.rstrip("0").rstrip(".")
    return "0" if quantity == "-0" else quantity


def _refuse_in_key(source: str, id: str, path: str = "") -> None:
    """Raise `Rejected` for a card number in a source or an id."""
    if source_holds_card_number(source):
        raise Rejected(f"{path}source", _("holds what looks like a card number"))
    if id_holds_card_number(id):
        raise Rejected(f"{path}id", _("holds what looks like a card number"))
