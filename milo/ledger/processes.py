"""Worker processes that read the same database. They load this module before Django."""

import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import django
from django.db import connection

AT_MOST = 4
"""A limit, because others use the database too."""


def how_many() -> int:
    """Return how many processes are useful on this machine."""
    return min(os.cpu_count() or 1, AT_MOST)


def pool() -> ProcessPoolExecutor:
    """Return a pool of that many processes, each with Django and its own connections to the current database."""
    spawning = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(how_many(), spawning, initializer=_begin, initargs=(connection.settings_dict,))


def _begin(database: dict[str, Any]) -> None:
    django.setup()
    connection.settings_dict.update(database)
    # collecting garbage among loaded modules again and again would take as long as reading rows
    gc.freeze()
