"""Processes beside this one that read the same database. This module is loaded in them before Django is."""

import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import django
from django.db import connection

AT_MOST = 4
"""Others use the database too."""


def how_many() -> int:
    """How many processes are worth having on this machine."""
    return min(os.cpu_count() or 1, AT_MOST)


def pool() -> ProcessPoolExecutor:
    """As many processes, each with Django and with connections of its own to the database of this one."""
    spawning = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(how_many(), spawning, initializer=_begin, initargs=(connection.settings_dict,))


def _begin(database: dict[str, Any]) -> None:
    django.setup()
    connection.settings_dict.update(database)
    # what is loaded stays; looking through it again and again would take as long as reading rows
    gc.freeze()
