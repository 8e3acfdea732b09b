"""`manage.py up` makes people, passwords and tokens, so it refuses data that is not its own, and changes nothing."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command

from milo.dev import ownership, people
from milo.identity.actors import actor_of
from milo.identity.models import ServiceToken
from milo.identity.tokens import revoke_token
from milo.settings.environment import MARKER

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """A data folder in which a process has started once."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "secret_key").write_text("of the installation")
    settings.DATA_DIR, settings.MILO_HTTP_PORT, settings.MILO_HTTPS_PORT = folder, 0, 0
    return folder


@pytest.fixture
def operator() -> User:
    """A person of production with the name of a sample user."""
    return User.objects.create_user("operator", password="of production")


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def refused(folder: Path, message: str) -> None:
    before = contents(folder)
    with pytest.raises(CommandError, match=re.escape(message)):
        call_command("up")
    assert contents(folder) == before
    for user in User.objects.all():
        assert user.check_password("of production")
        assert not user.groups.exists()
    assert not ServiceToken.objects.exists()


@pytest.mark.parametrize("name", ["milo.sqlite3", "ledger-keys", "archive", "mail", "notes.txt"])
def test_a_data_folder_that_it_did_not_make_is_refused(folder: Path, operator: User, name: str) -> None:
    (folder / name).touch()
    refused(folder, f"The data folder {folder} was not made by `manage.py up`")


def test_a_database_with_people_is_refused_to_a_new_folder(folder: Path, operator: User) -> None:
    refused(folder, "has users whom `manage.py up` did not make")


def test_a_database_of_others_is_refused_to_its_own_folder_too(folder: Path, operator: User) -> None:
    ownership.mark(folder)
    (folder / "tokens.json").write_text(json.dumps({"operator": "a token of another database"}))
    refused(folder, "has users whom `manage.py up` did not make")


def test_its_own_database_is_known_by_tokens_even_after_their_end(folder: Path) -> None:
    people.ensure_people(folder)
    for token in ServiceToken.objects.all():
        revoke_token(token.pk, actor=actor_of(token.user))
    ownership.require_own_folder(folder)
    ownership.require_own_database(folder)


def test_people_that_could_not_be_written_down_are_not_made(folder: Path) -> None:
    (folder / "tokens.json.new").mkdir()
    with pytest.raises(OSError, match=r"tokens\.json\.new"):
        people.ensure_people(folder)
    assert not User.objects.exists()
    assert not Group.objects.filter(user__isnull=False).exists()


def test_a_new_folder_a_marked_one_and_one_of_an_earlier_version_are_its_own(folder: Path) -> None:
    ownership.require_own_folder(folder)
    ownership.require_own_folder(folder / "missing")
    (folder / "milo.sqlite3").touch()
    (folder / "passwords.json").touch()
    ownership.require_own_folder(folder)
    (folder / "passwords.json").unlink()
    with pytest.raises(ownership.NotOwn):
        ownership.require_own_folder(folder)
    ownership.mark(folder)
    ownership.require_own_folder(folder)
    assert MARKER in contents(folder)
