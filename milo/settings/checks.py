"""Checks of the settings by the applications, which have the roles, countries and classes."""

from collections.abc import Callable, Iterator
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

TAG = "settings"


def register(id: str) -> Callable[[Callable[[], Iterator[str]]], Callable[[], Iterator[str]]]:
    """Register a function that yields a fault for each wrong setting as a Django check with this id."""

    def decorate(faults: Callable[[], Iterator[str]]) -> Callable[[], Iterator[str]]:
        def check(app_configs: Any = None, **kwargs: Any) -> list[checks.Error]:
            return [checks.Error(fault, id=id) for fault in faults()]

        checks.register(check, TAG)
        return faults

    return decorate


def require() -> None:
    """Run the registered checks. Raises ImproperlyConfigured with a line for each fault."""
    if faults := checks.run_checks(tags=[TAG]):
        raise ImproperlyConfigured("\n".join(fault.msg for fault in faults))
