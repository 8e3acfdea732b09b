"""Checks of DATABASE_URL. libpq refuses a wrong option only when it connects: Milo would start, and never be ready."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from urllib.parse import parse_qsl, urlsplit

import dj_database_url

# of the ones that sqlite3.connect and Django's backend take, those that a text can express
_SQLITE_OPTIONS = ("cached_statements", "timeout", "uri")
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
CHOICES = {
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "sslcertmode": ("disable", "allow", "require"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
_NUMBERS = (
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_SCHEMA = "currentSchema"
"""An option of dj_database_url, which makes a search_path of it."""


def check(text: str) -> str:
    """Return the URL of a database. Raises ValueError, whose text has no value of the URL and no part of a password."""
    try:
        engine = dj_database_url.parse(text)["ENGINE"]
        query = urlsplit(text).query
    except ValueError:
        # the text of the error may contain a part of the password
        raise ValueError from None
    if not engine.endswith((".sqlite3", ".postgresql")):
        raise ValueError
    if engine.endswith(".postgresql") and ("#" in text or "@" in query):
        # otherwise a password that holds one is cut off, and its rest is taken for an option
        raise ValueError("?, # and @ in a password or option are written %3F, %23 and %40")
    faults = _sqlite(query) if engine.endswith(".sqlite3") else _postgresql(query)
    if fault := next(faults, None):
        raise ValueError(fault)
    return text


def _sqlite(query: str) -> Iterator[str]:
    for name, _value in parse_qsl(query, keep_blank_values=True):
        if name not in _SQLITE_OPTIONS:
            yield _unknown(name, "SQLite", _SQLITE_OPTIONS)


def _postgresql(query: str) -> Iterator[str]:
    if not query:
        return
    from psycopg.pq import Conninfo  # SQLite does without

    known = [each.keyword.decode() for each in Conninfo.get_defaults()] + [_SCHEMA]
    seen: set[str] = set()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            yield _unknown(name, "PostgreSQL", known)
        elif name in seen:
            yield f"the option {name} stands in it twice"
        elif name in CHOICES and value not in CHOICES[name]:
            yield f"the option {name} must be {' or '.join(CHOICES[name])}"
        elif name in _NUMBERS and not _NUMBER.fullmatch(value):
            yield f"the option {name} must be a whole number, not negative"
        elif name == "port" and not all(_is_port(each) for each in value.split(",")):
            yield "the option port must be a whole number from 1 to 65535, or several, separated by commas"
        seen.add(name)


def _is_port(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and 1 <= int(text) <= 65535


def _unknown(name: str, engine: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"the option {name!r} is none of {engine}" + (f": did you mean {near[0]}?" if near else "")
