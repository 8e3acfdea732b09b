"""The secret key: from the environment, or generated once for the installation."""

import os
import secrets
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured

from milo.settings.environment import DATA_DIR, environment


def secret_key() -> str:
    """Return the key of the environment, or else the one in the data folder, generated at first use.

    Raises ImproperlyConfigured if the data folder cannot be written, or the file is empty.
    """
    if environment.server.secret_key is not None:
        return environment.server.secret_key
    path = DATA_DIR / "secret_key"
    try:
        if not path.exists():
            DATA_DIR.mkdir(parents=True, exist_ok=True)
            # written completely before it gets its name, and never over the key of another process
            new = path.with_name(f"secret_key.{os.getpid()}")
            new.touch(0o600)
            new.write_text(secrets.token_urlsafe(50))
            with suppress(FileExistsError):
                path.hardlink_to(new)
            new.unlink()
        key = path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"MILO_DATA_DIR must name a folder that can be written: {error}") from error
    if not key.strip():
        raise ImproperlyConfigured(f"{path} is empty: remove it, or set MILO_SECRET_KEY")
    return key
