"""One usage event: CloudEvents 1.0 in, a fact or a cause out.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. Of its attributes id, source, type, time and
subject are needed; extension attributes belong to the transport and are neither kept nor compared.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from stdnum import imei

from billing.usage import digests
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
# control characters, which no attribute may have, and halves of surrogate pairs
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_KNOWN = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "data", "datacontenttype", "dataschema"},
)
_DATA = frozenset({"service", "meter", "quantity", "unit", "dimensions", "corrects"})
# the last word of a dimension's name that says that its value is an id of another system: deviceId, sim.iccid
_ID_NAMES = frozenset(
    "id uid uuid guid eid imei imeisv imsi meid iccid msisdn serial gtin ean upc gln sscc isbn issn lei".split()
)
_NAME_WORDS = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# 15 digits, of which those behind 34 and 37 are cards
_IMEI = re.compile("(?!3[47])[0-9]{15}")
# an IMEI, or an ICCID (ITU-T E.118: 89, and no brand issues cards behind it)
_DEVICE = re.compile("(?<![0-9])(?:(?!3[47])[0-9]{15}|89[0-9]{16,18})(?![0-9])")
_DIGITS = re.compile(r"\d(?:\D*\d){12}")
# lazy, and made once: an intake reads 10,000 events and translates nothing unless one is rejected
_IS_TIME = gettext_lazy("must be an RFC 3339 timestamp with its offset")
_IN_RANGE = gettext_lazy("must lie between %(earliest)s and %(latest)s")
_IS_SUBJECT = gettext_lazy("must be projects/NAME")
_IS_NAME = gettext_lazy("must be letters, digits, . _ / -, at most 100 of them")
_IS_QUANTITY = gettext_lazy("must be a decimal in a string: at most 20 digits, and 12 after the point")


class Rejected(Exception):
    """An event that is not taken, and why; the other events of its batch are."""

    def __init__(self, field: str, message: Any, reason: str = "FieldValueInvalid") -> None:
        # names and values that were sent are repeated in both
        self.cause = Cause(excerpt(field, MAX_TEXT), card_numbers.masked(str(message)), reason)
        super().__init__(f"{self.cause.field}: {self.cause.message}")


@dataclass(slots=True)
class Fact:
    """Usage as reported: `quantity` is a canonical decimal, `time` an instant in UTC.

    `key` stands for (source, id), `content` for all the rest, `corrects` is the key of the event that it corrects; each
    is a hash of 128 bits in hexadecimal. `instant` is the time as text.
    """

    source: str
    id: str
    type: str
    time: datetime
    project: str
    service: str
    meter: str
    quantity: str
    unit: str
    dimensions: str
    corrects: str | None
    key: str
    content: str
    instant: str


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def key_of(source: str, id: str) -> str:
    """What stands for (source, id), which CloudEvents wants to be unique."""
    return _digest(f"{source}\n{id}")


def text_of(type: str, service: str, meter: str, unit: str, dimensions: str) -> str:
    """What was measured, as one text; `dimensions` are JSON with sorted keys."""
    return f"{type}\n{service}\n{meter}\n{unit}\n{dimensions}"


def content_of(instant: str, project: str, quantity: str, corrects: str | None, text: str) -> str:
    """What stands for all that an event says beside (source, id); `text` as `text_of` makes it."""
    return _digest(f"{instant}\n{project}\n{quantity}\n{corrects}\n{text}")


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
    found = data.get("dimensions")
    if found is None:
        return {}
    if type(found) is not dict or len(found) > MAX_DIMENSIONS:
        raise Rejected("data.dimensions", _("must be an object of at most %(n)d strings") % {"n": MAX_DIMENSIONS})
    for name, value in found.items():
        if not NAME.fullmatch(name):
            raise Rejected("data.dimensions", _("has a name that is none: letters, digits, . _ / -"))
        if value != "":
            _text(found, name, "data.dimensions.")
    return found


def _corrects(data: dict[str, Any], own: str) -> str | None:
    named = data.get("corrects")
    if named is None:
        return None
    if type(named) is not dict or set(named) != {"source", "id"}:
        raise Rejected("data.corrects", _("must name the source and the id of the event that is corrected"))
    source, id = _text(named, "source", "data.corrects."), _text(named, "id", "data.corrects.")
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
    """What was measured, beside how much of it, when and where; `text` is all of it, to be hashed."""

    type: str
    service: str
    meter: str
    unit: str
    dimensions: str
    text: str


def _measured(said: dict[str, Any]) -> _Measured:
    type_ = _text(said, "type")
    service, meter = _named(said, "service", NAME, _IS_NAME, "data."), _named(said, "meter", NAME, _IS_NAME, "data.")
    unit = _text(said, "unit", "data.")
    if not is_unit(unit):
        raise Rejected("data.unit", _no_unit(unit))
    dimensions = orjson.dumps(_dimensions(said), option=orjson.OPT_SORT_KEYS).decode()
    text = text_of(type_, service, meter, unit, dimensions)
    _refuse_card_numbers(text, said.get("dimensions") or {})
    return _Measured(type_, service, meter, unit, dimensions, text)


@lru_cache(1024)
def _measured_before(sent: bytes) -> _Measured:
    """As `_measured`, of a JSON text: many events say the same, so that it is looked at once in a while only."""
    return _measured(orjson.loads(sent))


def read(event: Any) -> Fact:
    """The fact that `event`, a JSON value, reports. Raises `Rejected` with the first fault found."""
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
    said = {
        "type": event.get("type"),
        "service": data.get("service"),
        "meter": data.get("meter"),
        "unit": data.get("unit"),
        "dimensions": data.get("dimensions"),
    }
    try:
        measured = _measured_before(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
    except orjson.JSONEncodeError:
        # nested more deeply than is written, though not than is read; what is at fault is said
        measured = _measured(said)
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
    shown = excerpt(unit, MAX_LENGTH)
    if (meant := instead(unit)) is not None:
        return _("%(unit)s is not what UCUM calls it: write %(meant)s") % {"unit": shown, "meant": meant}
    return _("%(unit)s is no unit of UCUM, such as By, h or {request}") % {"unit": shown}


def _canonical(quantity: str) -> str:
    if "." in quantity:
        quantity = quantity.rstrip("0").rstrip(".")
    return "0" if quantity == "-0" else quantity


def _refuse_card_numbers(text: str, dimensions: dict[str, str]) -> None:
    # the search sees through characters that nobody sees, of which this text has none
    if text.isascii() and not _DIGITS.search(text):
        return
    searched = [*text.split("\n")[:-1], *dimensions]
    searched += [value for name, value in dimensions.items() if not _is_id(name, value)]
    if any(map(card_numbers.found_in, searched)):
        raise Rejected("", _("holds what looks like a card number"))


def _refuse_in_key(source: str, id: str, path: str = "") -> None:
    """Raise `Rejected` for a card number in a source, or in an id with blanks, as no system writes its ids."""
    if _holds_card_number(source):
        raise Rejected(f"{path}source", _("holds what looks like a card number"))
    if len(id.split()) > 1 and card_numbers.found_in(id):
        raise Rejected(f"{path}id", _("holds what looks like a card number"))


@lru_cache(1024)
def _holds_card_number(source: str) -> bool:
    """Whether a source holds one; devices report by their own numbers, whose check digit is that of cards."""
    return card_numbers.found_in(_DEVICE.sub("~", source))


def _is_id(name: str, value: str) -> bool:
    """Whether a dimension holds an id of another system, one in ten of which would pass for a card number."""
    words = [word.lower() for word in _NAME_WORDS.findall(name)]
    if words and words[-1] in _ID_NAMES and not {"card", "pan"}.intersection(words):
        return True
    return _IMEI.fullmatch(value) is not None and imei.is_valid(value)
