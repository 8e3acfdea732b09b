"""Names that the documents show in examples: applications register some of their own, which readers know."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import lazy

from milo.errors import Cause
from milo.kube.kinds import namespace_kind


@dataclass(frozen=True, slots=True)
class Illustrations:
    """Names for examples: a person with a role in the organization, plurals of kinds, the reason of an event.

    `fixed` is the plural of a kind that cannot be patched, `cause` the fault of an invalid object.
    """

    person: str
    role: str
    plural: str
    fixed: str
    reason: str
    cause: Cause


_NEUTRAL = Cause("spec.example", "is not supported", "FieldValueNotSupported")
_registered = [Illustrations("user", "viewer", "examples", "examples", "ExampleCreated", _NEUTRAL)]


def register(illustrations: Illustrations) -> None:
    """Have the documents show these names; the last ones that are registered count."""
    _registered[:] = [illustrations]


def illustrations() -> Illustrations:
    """Return the names that were registered."""
    return _registered[0]


def user_info() -> dict[str, object]:
    """Return the UserInfo of the person."""
    shown = illustrations()
    group = f"{namespace_kind().example['metadata']['name']}:{shown.role}"
    return {"username": shown.person, "groups": ["system:authenticated", group]}


def text(make: Callable[[Illustrations], str]) -> str:
    """Return a text with names of `illustrations`, which are looked up when it is read."""
    return lazy(lambda: make(illustrations()), str)()
