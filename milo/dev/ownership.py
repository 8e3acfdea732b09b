"""Whether data folder and database belong to `manage.py up`, which makes people, passwords, tokens and samples."""

import json
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from milo.dev import database
from milo.identity.models import ServiceToken, digest
from milo.settings.environment import MARKER


class NotOwn(Exception):
    """The folder or the database belongs to another installation. The message says what to do."""


def require_own_folder(folder: Path) -> None:
    """Raise `NotOwn` unless `folder` is new or was made by `manage.py up`.

    Every process of earlier versions made `secret_key` before anything else, and `up` left no marker, but only `up`
    writes `passwords.json`.
    """
    if any((folder / name).exists() for name in (MARKER, "passwords.json")):
        return
    if folder.exists() and any(path.name != "secret_key" for path in folder.iterdir()):
        raise NotOwn(
            f"The data folder {folder} was not made by `manage.py up`, which changes people and passwords for"
            " development: set MILO_DATA_DIR to a new folder"
        )


def require_own_database(folder: Path) -> None:
    """Raise `NotOwn` unless the database is in `folder`, has no users, or admits with a token of `tokens.json`."""
    tables = connection.introspection.table_names()
    inside = connection.vendor == "sqlite" and Path(settings.DATABASES["default"]["NAME"]).parent == folder
    if inside or User._meta.db_table not in tables or not User.objects.exists():
        return
    path = folder / "tokens.json"
    digests = [digest(secret) for secret in json.loads(path.read_text()).values()] if path.exists() else []
    if ServiceToken._meta.db_table in tables and ServiceToken.objects.filter(digest__in=digests).exists():
        return
    raise NotOwn(
        f"The database {database.name()} has users whom `manage.py up` did not make with the data folder {folder}, and"
        " it changes people and passwords for development: set DATABASE_URL to an empty database, or unset it"
    )


def mark(folder: Path) -> None:
    """Mark the folder as one of development."""
    (folder / MARKER).touch()
