"""Declare variables of the environment as fields of frozen groups, and read them.

All faults are collected, so that one start names all of them. Messages never repeat a secret.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, overload

from milo.settings.values import KEY, Format

T = TypeVar("T")
Group = TypeVar("Group")
# Kubernetes sets variables for each Service in every container: MILO_SERVICE_HOST for one called "milo"
_SERVICE_LINK = re.compile(
    r"MILO_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|MILO_(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?", re.ASCII
)
_LINKED_PORT = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment. `shown` is its default as text, for documentation."""

    name: str
    format: Format[Any]
    meaning: str
    shown: str
    secret: bool

    @property
    def file(self) -> str:
        """Return the name of the variable for a file with the secret."""
        return f"{self.name}_FILE"


@overload
def variable(name: str, format: Format[T], default: T, meaning: str, *, shown: str = "", secret: bool = False) -> T: ...
@overload
def variable(
    name: str, format: Format[T], default: None, meaning: str, *, shown: str, secret: bool = False
) -> T | None: ...
def variable(
    name: str, format: Format[Any], default: Any, meaning: str, *, shown: str = "", secret: bool = False
) -> Any:
    """Declare a field of a frozen group that is read from the environment.

    `shown` describes a default that depends on other settings. A `secret` is never repeated, and may come from a file.
    """
    made = Variable(name, format, meaning, shown or _shown(default), secret)
    return field(default=default, repr=not secret, metadata={"variable": made})


def variables(group: type[Any]) -> Iterator[Variable]:
    """Yield the variables of a group, in the order of its fields."""
    for each in fields(group):
        yield each.metadata["variable"]


def read(group: type[Group], given: Mapping[str, str], faults: list[str]) -> Group:
    """Return a group from the environment. An invalid variable adds to `faults`, and its field has the default."""
    found = {}
    for each in fields(group):  # type: ignore[arg-type]
        declared: Variable = each.metadata["variable"]
        try:
            text = _text_of(declared, given)
            if text is not None:
                found[each.name] = declared.format.parse(text)
        except UnreadableVariable as error:
            faults.append(str(error))
        except ValueError as error:
            faults.append(_fault(declared, given, str(error)))
    return group(**found)


def unknown(known: Iterable[Variable], given: Mapping[str, str]) -> Iterator[str]:
    """Yield a fault for each variable that begins with MILO_ and is not known."""
    names = {name for each in known for name in ([each.name, each.file] if each.secret else [each.name])}
    for name, value in sorted(given.items()):
        if not name.upper().startswith("MILO_") or name in names or _is_service_link(name, value):
            continue
        near = get_close_matches(name.upper(), names, n=1)
        yield f"{name} is not a setting: " + (f"did you mean {near[0]}?" if near else "docs/settings.md lists them")


class UnreadableVariable(Exception):
    """The text of a variable cannot be read. The message names the variable."""


def _text_of(declared: Variable, given: Mapping[str, str]) -> str | None:
    """Return the text of a variable or of its file; None if it is unset or empty."""
    text = given.get(declared.name)
    path = given.get(declared.file) if declared.secret else None
    if path:
        if text:
            raise UnreadableVariable(f"{declared.name} and {declared.file} are both set: set one of them")
        return _content(declared.file, Path(path))
    if declared.secret:
        # the format refuses an empty key; other empty secrets count as unset
        return text if text or declared.format is KEY else None
    return (text or "").strip() or None


def _content(name: str, path: Path) -> str:
    try:
        text = path.read_text().rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise UnreadableVariable(f"{name} must name a file that can be read: {error}") from error
    if not text.strip():
        raise UnreadableVariable(f"{name} names an empty file: {path}")
    return text


def _fault(declared: Variable, given: Mapping[str, str], why: str) -> str:
    text = given.get(declared.name, "")
    value = "" if declared.secret else f", not {text.strip()!r}"
    return f"{declared.name} must be {declared.format.accepted}{value}" + (f" ({why})" if why else "")


def _is_service_link(name: str, value: str) -> bool:
    if not _SERVICE_LINK.fullmatch(name):
        return False
    return "SERVICE_" in name or bool(_LINKED_PORT.match(value)) or bool(re.search(r"PORT_\d+_", name, re.ASCII))


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, tuple):
        return ",".join(default)
    return "none" if default in (None, "") else str(default)
