"""Phase columns that only a transition can change, based on django-fsm-2."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models.signals import class_prepared
from django_fsm import FSMField, FSMFieldDescriptor

_LOADING = "_phases_loading"


class PhaseDescriptor(FSMFieldDescriptor):
    """Refuses assignment, except while this instance is created or loaded.

    django-fsm-2 disables its own `protected=True` for the whole process during any `refresh_from_db`; here the flag is
    one of the instance.
    """

    def __set__(self, instance: models.Model, value: Any) -> None:
        state = instance.__dict__
        # a deferred phase is missing in `state` too, but must not be assigned
        being_made = instance._state.adding and self.field.name not in state
        if not being_made and not state.get(_LOADING) and state.get(self.field.name) != value:
            raise AttributeError(f"{self.field.name} changes by a transition only")
        self.field.set_state(instance, value)


class PhaseField(FSMField):
    """A named state of a lifecycle (`Ready`), changed by methods decorated with `django_fsm.transition`."""

    descriptor_class = PhaseDescriptor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 20)
        super().__init__(*args, **kwargs)

    def contribute_to_class(
        self, cls: type[models.Model], name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, private_only=private_only, **kwargs)
        if cls.__module__ == "__fake__":
            # models of migrations have no transitions; collecting them took half of the time of `migrate`
            class_prepared.disconnect(self._collect_transitions)


class PhaseLoading(models.Model):
    """Base of every model that has a `PhaseField`: lets an instance reload its own phase."""

    class Meta:
        abstract = True

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Any] | None = None,
    ) -> None:
        self.__dict__[_LOADING] = True
        try:
            super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
        finally:
            self.__dict__.pop(_LOADING, None)
