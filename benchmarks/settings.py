"""Settings of the measured server: those of production, and queries counted where a request asks for it."""

from milo.settings import *  # noqa: F403
from milo.settings import MIDDLEWARE

MIDDLEWARE = ["benchmarks.queries.count_queries", *MIDDLEWARE]
