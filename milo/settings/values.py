"""Formats of environment variables. Each describes the accepted values, and parses a text or refuses it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formataddr, parseaddr
from ipaddress import IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_address, ip_network
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.checks.security.base import (
    SECRET_KEY_INSECURE_PREFIX,
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from kombu.transport import TRANSPORT_ALIASES

from milo import idn
from milo.settings import database_url

T = TypeVar("T")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_GATE = re.compile(r"([A-Za-z]\w*)\s*=\s*(\w+)", re.ASCII)
# IPv4 addresses, as a socket of both versions has them
_MAPPED = IPv6Network("::ffff:0:0/96")
STRONG_KEY = (
    f"{SECRET_KEY_MIN_LENGTH} characters or more, {SECRET_KEY_MIN_UNIQUE_CHARACTERS} of them different, and not begin"
    f" with {SECRET_KEY_INSECURE_PREFIX} (`openssl rand -hex 32` prints a key)"
)
"""What a secret key must have outside development."""
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def is_weak(key: str) -> bool:
    """Return whether Django's check for deployment (security.W009) would warn of this secret key."""
    short = len(key) < SECRET_KEY_MIN_LENGTH or len(set(key)) < SECRET_KEY_MIN_UNIQUE_CHARACTERS
    return short or key.startswith(SECRET_KEY_INSECURE_PREFIX)


@dataclass(frozen=True, slots=True)
class Format(Generic[T]):
    """A format. `accepted` completes "must be ...". `parse` raises ValueError; its text, if any, names the fault."""

    accepted: str
    parse: Callable[[str], T]


def pattern(regex: str, accepted: str) -> Format[str]:
    """Return the format of a text that matches `regex` completely; letters and digits are ASCII."""
    compiled = re.compile(regex, re.ASCII)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError
        return text

    return Format(accepted, parse)


def number(least: int, most: int) -> Format[int]:
    """Return the format of a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return Format(f"a whole number from {least} to {most}", parse)


def choice(*accepted: str) -> Format[str]:
    """Return the format of one of these words."""
    return pattern("|".join(map(re.escape, accepted)), " or ".join(accepted))


def list_of(item: Format[str], accepted: str) -> Format[tuple[str, ...]]:
    """Return the format of one or more items, separated by commas."""

    def parse(text: str) -> tuple[str, ...]:
        items = [stripped for part in text.split(",") if (stripped := part.strip())]
        if not items:
            raise ValueError("the list is empty")
        for each in items:
            try:
                item.parse(each)
            except ValueError:
                raise ValueError(f"{each!r} is not one") from None
        return tuple(items)

    return Format(f"{accepted}, separated by commas", parse)


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[text.lower()]


def _text(text: str) -> str:
    if not text.isprintable():
        raise ValueError
    return text


def _key(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _keys(text: str) -> tuple[str, ...]:
    if not (keys := tuple(filter(None, map(str.strip, text.splitlines())))):
        raise ValueError("it is empty")
    return keys


def _signing_key(text: str) -> str:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (TypeError, UnsupportedAlgorithm):
        raise ValueError from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError
    return text


def _path(text: str) -> Path:
    return Path(_text(text)).absolute()


def _host(text: str) -> str:
    if ":" in text:
        ip_address(text)
    elif not _HOST.fullmatch(text) or len(text) > 253:
        raise ValueError
    return text


def _allowed_host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        IPv6Address(text[1:-1])
    elif text != "*" and (":" in text or not _HOST.fullmatch(text.removeprefix("."))):
        raise ValueError
    if text.startswith("."):
        _refuse_top_level(text[1:])
    return text


def _refuse_top_level(domain: str) -> None:
    """Raise ValueError for a top-level domain, whose subdomains are of anybody; those of localhost are this machine."""
    if "." not in domain and domain != "localhost":
        raise ValueError


def _origin(text: str) -> str:
    address = urlsplit(text)
    host = (address.hostname or "").removeprefix("*.")
    _host(host)
    if host != address.hostname:
        _refuse_top_level(host)
    if address.scheme not in ("http", "https") or text != f"{address.scheme}://{address.netloc}" or "@" in text:
        raise ValueError
    _ = address.port
    return text


def _single_origin(text: str) -> str:
    if "*" in text:
        raise ValueError
    return _origin(text)


def _network(text: str) -> str:
    return str(ip_network(text))


def _networks(text: str) -> tuple[str, ...]:
    items = _NETWORKS.parse(text)
    listed = [ip_network(each) for each in items]
    ipv4 = collapse_addresses(each for each in listed if isinstance(each, IPv4Network))
    ipv6 = collapse_addresses(each for each in listed if isinstance(each, IPv6Network))
    if any(each.prefixlen == 0 for each in ipv4) or any(each.supernet_of(_MAPPED) for each in ipv6):
        raise ValueError("it holds every address, so every client would be believed")
    return items


def _domain(text: str) -> str:
    """Return a domain in its ASCII form (IDNA 2008)."""
    try:
        return _host(idn.to_ascii(text))
    except ValueError as error:
        raise ValueError(f"IDNA 2008 refuses the domain: {error}" if str(error) else "") from error


def _sender(text: str) -> str:
    name, address = parseaddr(text)
    local, _at, domain = address.rpartition("@")
    if not local or not local.isascii() or not text.isprintable():
        raise ValueError
    return formataddr((name, f"{local}@{_domain(domain)}"))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands in it twice")
    return made


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_pairs)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError
    return value


def _gates(text: str) -> tuple[tuple[str, str], ...]:
    gates: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        if not (gate := _GATE.fullmatch(part)):
            raise ValueError(f"{part!r} is not one")
        if gate[1] in gates:
            raise ValueError(f"{gate[1]} stands in it twice")
        gates[gate[1]] = gate[2].lower()
    return tuple(gates.items())


def _broker(text: str) -> str:
    # several URLs, separated by semicolons, are alternatives for Celery
    for url in text.split(";"):
        scheme, separator, _rest = url.partition("://")
        if not separator or scheme.partition("+")[0] not in TRANSPORT_ALIASES:
            raise ValueError
        if scheme.partition("+")[0] == "memory":
            raise ValueError("memory:// reaches no other process, so no worker would get a message")
    return text


BOOLEAN = Format("true or false (also 1, 0, yes or no)", _boolean)
TEXT = Format("printable text of one line", _text)
KEY = Format("a secret text; outside development of 50 characters or more", _key)
KEYS = Format("secret texts like `MILO_SECRET_KEY`, one a line", _keys)
SIGNING_KEY = Format("an Ed25519 private key in PEM without a password", _signing_key)
PATH = Format("a path", _path)
HOST = Format("a host name or an IP address, without scheme and port", _host)
HOSTS = list_of(
    Format("", _allowed_host),
    "host names without scheme and port (.example.org takes in its subdomains; .org is too wide)",
)
ORIGINS = list_of(Format("", _origin), "origins such as https://milo.example.org, without path")
ORIGIN = Format("an origin such as https://staff.example.org, without path", _single_origin)
_NETWORKS = list_of(Format("", _network), "IP addresses or networks such as 10.0.0.0/8")
NETWORKS = Format(_NETWORKS.accepted, _networks)
DOMAIN = Format("a domain", _domain)
SENDER = Format("an e-mail address with ASCII letters only before the @, with a display name or without", _sender)
DOTTED_PATH = pattern(_DOTTED.pattern, "the dotted path of a class")
COUNTRY = pattern("[A-Z]{2}", "an ISO 3166-1 alpha-2 code such as DE")
FEATURE_GATES = Format("feature gates with their values such as UsageIntake=false, separated by commas", _gates)
REGIONS = list_of(pattern("[A-Z]{2,}", ""), "regions or ISO 3166-1 alpha-2 codes such as EU,US")
JSON_OBJECT = Format("a JSON object", _json_object)
DATABASE_URL = Format("sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME", database_url.check)
BROKER_URL = Format("the URL of a broker, such as redis://127.0.0.1:6379/0 or filesystem://", _broker)
