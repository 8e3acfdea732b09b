"""The metrics that a web process counts itself. `manage.py serve` adds up those of its processes (`shared`)."""

from collections.abc import Iterable

from milo.errors import Cause
from milo.metrics.declared import counter, gauge, histogram

UNROUTED = "-"
"""The route of a request that has none: a wrong path, or an answer before there was a route."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

http_requests = counter(
    "milo_http_requests_total",
    "Requests answered, by method, route (a URL pattern; `-` for none) and status code",
    ("method", "route", "code"),
)
http_seconds = histogram(
    "milo_http_request_duration_seconds",
    "Time until the answer of a request began, by method and route",
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    ("method", "route"),
)
http_running = gauge("milo_http_requests_in_progress", "Requests whose answer has not begun")
http_shed = counter(
    "milo_http_requests_shed_total",
    "Requests answered with 429 because too many wait, by what they share: object, writes or tenant, or all",
    ("flow",),
)
refusals = counter(
    "milo_refusals_total",
    "Refusals of the API and the staff site, by Status reason and rule: the id of a regional rule, the constraint that"
    " lost a race, or else the type of the cause. A refusal counts once for each of its rules",
    ("reason", "rule"),
)
outages = counter(
    "milo_database_outages_total",
    "Requests that met an outage of the database, by the Status reason of their answer: ServiceUnavailable (away),"
    " TooManyRequests (a lock was not acquired in time, a deadlock) or Timeout (a statement took too long)",
    ("answer",),
)
watches = gauge("milo_watches", "Open watches")
watch_lag = histogram(
    "milo_watch_lag_seconds",
    "Time from the writing of a revision to its delivery to the watchers of a process",
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
watches_behind = counter("milo_watches_ended_behind_total", "Watches ended because their client fell behind")
pool_connections = gauge(
    "milo_database_pool_connections", "Connections in the pools of web processes: idle or in_use", ("state",)
)
pool_waiting = gauge("milo_database_pool_requests_waiting", "Requests that wait for a connection of the pool")
pool_seconds = counter("milo_database_pool_wait_seconds_total", "Time that requests waited for connections of the pool")
pool_errors = counter("milo_database_pool_errors_total", "Requests that got no connection of the pool in time")

# the newest result, not the least: a process that gets no more probes would show its last failure for ever
readiness_check = gauge(
    "milo_readiness_check",
    "1 if a check of `/readyz` passed at the last probe, else 0; missing before the first probe. Its failure is one of"
    " the effects `unready` (503) and `degraded`. Do not sum it: take the least",
    ("name", "effect"),
    newest=True,
)


def count_refusal(reason: str, causes: Iterable[Cause], rule: str = "") -> None:
    """Count a refusal once for each rule of its causes. `rule` is the rule of a refusal without causes."""
    for each in {cause.rule or cause.reason for cause in causes} or {rule}:
        refusals.labels(reason, each).inc()
