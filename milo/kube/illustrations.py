"""Names used in the examples of the OpenAPI documents.

The defaults are neutral. An application registers names from its own domain.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import lazy

from milo.errors import Cause
from milo.kube.kinds import namespace_kind


@dataclass(frozen=True, slots=True)
class Illustrations:
    """Names for examples: a user with a role in the organization, plurals of kinds, the reason of an event.

    `fixed` is the plural of a kind whose spec cannot be patched. `cause` is the field error of an invalid object.
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
    """Use these names in the documents. The last registration wins."""
    _registered[:] = [illustrations]


def illustrations() -> Illustrations:
    """Return the registered names."""
    return _registered[0]


def user_info() -> dict[str, object]:
    """Return the `UserInfo` of the example user."""
    names = illustrations()
    group = f"{namespace_kind().example['metadata']['name']}:{names.role}"
    return {"username": names.person, "groups": ["system:authenticated", group]}


def text(make: Callable[[Illustrations], str]) -> str:
    """Return a lazy text: `make` gets the names when the text is rendered, after every application has registered."""
    return lazy(lambda: make(illustrations()), str)()
