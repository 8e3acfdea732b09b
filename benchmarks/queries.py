"""How many queries a request makes and how long it takes, asked of the measured servers themselves."""

import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

HEADER = "X-Count-Queries"
TIMING = "Server-Timing"
"""https://www.w3.org/TR/server-timing/"""


def count_queries(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a request with the header is answered with the number of its queries, and with the time it took.

    BEGIN and COMMIT are not counted.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if HEADER not in request.headers:
            return get_response(request)
        queries = 0

        def count(execute: Callable[..., Any], *arguments: Any) -> Any:
            nonlocal queries
            queries += 1
            return execute(*arguments)

        begun = time.perf_counter()
        with connection.execute_wrapper(count):
            response = get_response(request)
        response[TIMING] = f"total;dur={(time.perf_counter() - begun) * 1000:.3f}"
        response[HEADER] = str(queries)
        return response

    return middleware
