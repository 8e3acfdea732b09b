"""All settings of an installation as one frozen object, read once from the environment.

Roles, classes and countries need the loaded applications; milo/settings/apps.py checks them.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from milo.settings.groups.access import Access
from milo.settings.groups.ledger import Ledger
from milo.settings.groups.mail import Mail
from milo.settings.groups.operations import Operations
from milo.settings.groups.policies import Policies
from milo.settings.groups.server import BASE_DIR, Server
from milo.settings.groups.stores import Stores
from milo.settings.values import STRONG_KEY, is_weak
from milo.settings.variables import Variable, read, unknown, variables

__all__ = ["BASE_DIR", "DATA_DIR", "MARKER", "Environment", "environment", "is_development", "read_environment"]

MARKER = "made-by-up"
"""The file with which `manage.py up` marks its data folder."""

# files of these processes are not readable for other users of the machine
os.umask(0o077)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """All settings of an installation. Each group is a noun; its docstring heads a table of docs/settings.md."""

    server: Server
    stores: Stores
    mail: Mail
    access: Access
    ledger: Ledger
    policies: Policies
    operations: Operations


GROUPS: dict[str, type[Any]] = {each.name: each.type for each in fields(Environment)}  # type: ignore[misc]


def all_variables() -> Iterator[Variable]:
    """Yield every variable that Milo reads."""
    for group in GROUPS.values():
        yield from variables(group)


def read_environment(given: Mapping[str, str]) -> Environment:
    """Read all settings. Raises ImproperlyConfigured with a line for each fault of any variable."""
    faults = list(unknown(all_variables(), given))
    made = Environment(**{name: read(group, given, faults) for name, group in GROUPS.items()})
    if faults := faults or list(_contradictions(made)):
        raise ImproperlyConfigured("\n".join(faults))
    return made


def is_development(server: Server) -> bool:
    """Return whether this is development: MILO_DEBUG, or a data folder of `manage.py up`."""
    return server.debug or os.path.exists(server.data_dir / MARKER)


def _weak_keys(server: Server) -> Iterator[str]:
    """Yield a fault for each setting with a secret key that could be guessed. Whoever knows it is anybody."""
    if is_development(server):
        return
    if server.secret_key and is_weak(server.secret_key):
        yield f"MILO_SECRET_KEY must have {STRONG_KEY}"
    if numbers := [number for number, key in enumerate(server.secret_key_fallbacks, 1) if is_weak(key)]:
        yield f"MILO_SECRET_KEY_FALLBACKS must have keys of {STRONG_KEY}: key {numbers[0]} is too weak"


def _contradictions(made: Environment) -> Iterator[str]:
    yield from _weak_keys(made.server)
    if "*" in made.server.allowed_hosts and not made.server.debug:
        yield "MILO_ALLOWED_HOSTS must name the hosts: * admits any, and is for development (MILO_DEBUG=true) only"
    if made.server.drain_seconds >= made.server.stop_seconds:
        yield (
            f"MILO_DRAIN_SECONDS ({made.server.drain_seconds}) must be less than MILO_STOP_SECONDS"
            f" ({made.server.stop_seconds}): no time would be left for requests to end"
        )
    if bool(made.mail.user) != bool(made.mail.password):
        yield "MILO_EMAIL_USER and MILO_EMAIL_PASSWORD go together: set both, or neither"
    if not made.mail.host and (made.mail.user or made.mail.tls):
        yield "MILO_EMAIL_HOST must be given where MILO_EMAIL_USER or MILO_EMAIL_TLS is: without it, mail is files"
    if made.stores.archive_options and not made.stores.archive_storage:
        yield "MILO_ARCHIVE_STORAGE must be given where MILO_ARCHIVE_OPTIONS are: they are its arguments"


environment = read_environment(os.environ)
DATA_DIR = environment.server.data_dir
