"""What every request pays for: it must not grow with what lies on the disk."""

import os
from typing import Any
from unittest import mock

import pytest
from django.test import Client

from tests.api.client import ACCOUNTS, Api
from tests.support import make

pytestmark = pytest.mark.once


@pytest.fixture
def reading() -> Any:
    """Counts the folders and files that are looked at."""
    with (
        mock.patch("os.walk", wraps=os.walk) as walked,
        mock.patch("os.scandir", wraps=os.scandir) as listed,
        mock.patch("builtins.open", wraps=open) as opened,
    ):
        yield lambda: [call.args[0] for it in (walked, listed, opened) for call in it.call_args_list]


def test_neither_a_request_of_the_api_nor_a_page_reads_the_disk(db: None, reading: Any) -> None:
    api = Api.of(make.a_person(groups=("finance-operator",)))
    person = Client()
    person.force_login(make.a_person(is_staff=True, is_superuser=True))
    person.cookies["milo_time_zone"] = "Europe/Berlin"
    make.an_organization("acme-corp")
    for _turn in range(2):  # what a process looks up once is no request's
        before = reading()
        assert api.get(ACCOUNTS).code == 200
        assert person.get("/admin/").status_code == 200
    assert reading() == before
