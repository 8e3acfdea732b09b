"""The secret key: from the environment, or a file in the data folder, which only development generates.

Elsewhere a missing one is a mistake of the operator: a second web host would make a key of its own, and neither would
know the sessions, links and continue tokens of the other.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from milo.settings.environment import DATA_DIR, environment, is_development
from milo.settings.values import STRONG_KEY, is_weak

_PATH = DATA_DIR / "secret_key"


def secret_key() -> str:
    """Return the key of the environment, or else the one in the data folder; in development it is generated there.

    Return "" outside development without a key: most commands need none, and Django refuses to sign with it. Raises
    `ImproperlyConfigured` if the data folder cannot be read or written, or the file is empty; outside development also
    if the key is weak.
    """
    if environment.server.secret_key is not None:
        return environment.server.secret_key
    try:
        if not _PATH.exists():
            # SQLite and the archive may be there; neither makes it
            DATA_DIR.mkdir(parents=True, exist_ok=True)
            if not is_development(environment.server):
                return ""
            _generate(_PATH)
        key = _PATH.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"MILO_DATA_DIR must name a folder that can be written: {error}") from error
    if not key.strip():
        raise ImproperlyConfigured(f"{_PATH} is empty: remove it, or set MILO_SECRET_KEY")
    if is_weak(key) and not is_development(environment.server):
        raise ImproperlyConfigured(f"{_PATH} must have {STRONG_KEY}")
    return key


def refuse_missing() -> None:
    """End a process that needs a key and has none, with what to do."""
    if not secret_key():
        raise SystemExit(
            f"there is no secret key: MILO_SECRET_KEY is not set, and {_PATH} does not exist. Give this host the key of"
            " the others; for the first one `openssl rand -hex 32` prints a new key (docs/deploying.md, Keys)"
        )


def _generate(path: Path) -> None:
    # written completely before it gets its name, and never over the key of another process
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.touch(0o600)
    new.write_text(secrets.token_urlsafe(50))
    with suppress(FileExistsError):
        path.hardlink_to(new)
    new.unlink()
