"""What settings are read from: the environment, and the folder of the installation's own files."""

import json
import os
import secrets
from contextlib import suppress
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from milo import idn

# whoever else has an account on the machine reads nothing of what these processes write
os.umask(0o077)

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DATA_DIR = Path(os.environ.get("MILO_DATA_DIR") or BASE_DIR / "var").absolute()


def secret_key() -> str:
    """The key of the environment, else one made once and kept beside the embedded database."""
    if key := os.environ.get("MILO_SECRET_KEY"):
        return key
    path = DATA_DIR / "secret_key"
    if not path.exists():
        try:
            DATA_DIR.mkdir(parents=True, exist_ok=True)
            # whole at once, and never over one that another process made meanwhile
            new = path.with_name(f"secret_key.{os.getpid()}")
            new.touch(0o600)
            new.write_text(secrets.token_urlsafe(50))
            with suppress(FileExistsError):
                path.hardlink_to(new)
            new.unlink()
        except OSError as error:
            raise ImproperlyConfigured(f"MILO_DATA_DIR must name a folder that can be written: {error}") from error
    return path.read_text()


def json_object(variable: str) -> dict[str, Any]:
    try:
        value = json.loads(os.environ.get(variable) or "{}")
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable} must be a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{variable} must be a JSON object")
    return value


def number(variable: str, default: int) -> int:
    try:
        return int(os.environ.get(variable) or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable} must be a whole number") from error


def domain(variable: str, default: str) -> str:
    """A domain as the DNS has it (IDNA 2008)."""
    return _domain(variable, os.environ.get(variable) or default)


def sender(variable: str, default: str) -> str:
    """An e-mail address, with a display name or without, its domain as the DNS has it (IDNA 2008)."""
    name, address = parseaddr(os.environ.get(variable) or default)
    local, _at, domain = address.rpartition("@")
    if not local or not local.isascii():
        raise ImproperlyConfigured(f"{variable} must be an e-mail address with ASCII letters only before the @")
    return formataddr((name, f"{local}@{_domain(variable, domain)}"))


def _domain(variable: str, domain: str) -> str:
    try:
        return idn.to_ascii(domain)
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable} has a domain that IDNA 2008 refuses: {error}") from error
