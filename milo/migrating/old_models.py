"""Models of migrations made at less cost, which is most of the time of `migrate` on an empty database.

Django makes each model anew that an operation changes, and those around it: classes by the thousand, each with copies
of its fields.
"""

import functools
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Field
from django.utils.functional import cached_property

_OBJECTS = 100_000
"""How many objects are made between two rounds of the garbage collector: 700 in Python, each of which goes through
models that are all in use."""
_clone = Field.clone


@contextmanager
def made_cheaply() -> Iterator[None]:
    """Make models of migrations in the block by copies of fields, and with few rounds of the garbage collector."""
    django: Any = Field
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    django.clone = copy_of
    try:
        yield
    finally:
        django.clone = _clone
        gc.set_threshold(*before)


def copy_of(field: "Field[Any, Any]") -> "Field[Any, Any]":
    """Return a field that is declared as `field` is, and belongs to no model. It counts as declared last.

    Django takes a field apart and declares it again for this. That is done here too if the field belongs to a model
    or has been told its name there, because it has then more than its declaration.
    """
    if hasattr(field, "model") or field.name:
        return _clone(field)
    copy: Field[Any, Any] = _without_cache(field)
    if field.auto_created:
        copy.creation_counter = Field.auto_creation_counter
        Field.auto_creation_counter -= 1
    else:
        copy.creation_counter = Field.creation_counter
        Field.creation_counter += 1
    if field.remote_field:
        copy.remote_field = _without_cache(field.remote_field)
        copy.remote_field.field = copy
    return copy


def _without_cache(original: Any) -> Any:
    copy = object.__new__(type(original))
    kind: Any = type(original)
    cached = _cached_properties(kind)
    copy.__dict__ = {name: value for name, value in original.__dict__.items() if name not in cached}
    return copy


@functools.cache
def _cached_properties(kind: Any) -> frozenset[str]:
    """The attributes that an instance computes once, which may be for its model; but `validators` is part of it."""
    kinds = cached_property, functools.cached_property
    names = {name for base in kind.__mro__ for name, value in vars(base).items() if isinstance(value, kinds)}
    return frozenset(names - {"validators"})
