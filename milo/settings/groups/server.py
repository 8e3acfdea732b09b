"""The web processes: hosts, TLS, threads and how they stop."""

from dataclasses import dataclass
from pathlib import Path

from milo.settings import values
from milo.settings.variables import variable

BASE_DIR = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Hosts, TLS and threads."""

    secret_key: str | None = variable(
        "MILO_SECRET_KEY",
        values.KEY,
        None,
        "Signs sessions and links for passwords, and encrypts continue tokens. All processes need the same key; web and"
        " workers do not start without one.",
        shown="the file `secret_key` in the data folder; only `MILO_DEBUG` and `manage.py up` generate it",
        secret=True,
    )
    secret_key_fallbacks: tuple[str, ...] = variable(
        "MILO_SECRET_KEY_FALLBACKS",
        values.KEYS,
        (),
        "Earlier values of `MILO_SECRET_KEY`, whose sessions, links and continue tokens stay valid. Remove them when"
        " these have expired: sessions last `MILO_SESSION_HOURS`, links for passwords three days.",
        shown="none",
        secret=True,
    )
    allowed_hosts: tuple[str, ...] = variable(
        "MILO_ALLOWED_HOSTS",
        values.HOSTS,
        ("127.0.0.1", "localhost", "[::1]"),
        "The host names of Milo. `*` is refused unless `MILO_DEBUG` is true.",
    )
    staff_host: str = variable(
        "MILO_STAFF_HOST",
        values.DOMAIN,
        "",
        "The host name of the staff site, such as `staff.example.org`. `/admin/` is then served only there, and the API"
        " only at the other hosts. It need not be repeated in `MILO_ALLOWED_HOSTS`.",
        shown="every host serves both",
    )
    staff_url: str | None = variable(
        "MILO_STAFF_URL",
        values.ORIGIN,
        None,
        "The address of the staff site in mails, such as `https://staff.example.org`.",
        shown="`https://` and `MILO_STAFF_HOST`, in development that of `make up`; else mails have no links",
    )
    environment: str = variable(
        "MILO_ENVIRONMENT",
        values.TEXT,
        "",
        "The name of the installation, such as `production` or `staging`, at the top of each page of the staff site.",
        shown="none; `development` in development",
    )
    https_only: bool = variable(
        "MILO_HTTPS_ONLY",
        values.BOOLEAN,
        False,
        "Everything is served over TLS: cookies are sent over TLS only, plain HTTP is refused or redirected, and"
        " browsers use TLS for a year (HSTS).",
    )
    trusted_origins: tuple[str, ...] = variable(
        "MILO_TRUSTED_ORIGINS",
        values.ORIGINS,
        (),
        "Further origins of forms of the staff site, for a proxy that changes the host.",
        shown="none",
    )
    threads: int = variable(
        "MILO_THREADS",
        values.number(1, 1000),
        16,
        "Concurrent requests of one server process; others wait. Its pool has 4 more connections to PostgreSQL.",
    )
    waiting_requests: int = variable(
        "MILO_WAITING_REQUESTS",
        values.number(1, 100_000),
        50,
        "Requests that wait for one object in one process, besides a quarter of the threads that change it; 4 times as"
        " many wait for one namespace, 20 times as many in all. Any more are answered with 429.",
    )
    workers: int | None = variable(
        "MILO_WORKERS",
        values.number(1, 256),
        None,
        "The processes of `manage.py serve`.",
        shown="a process for each processor, at most 4; 1 with SQLite",
    )
    trusted_proxies: tuple[str, ...] = variable(
        "MILO_TRUSTED_PROXIES",
        values.NETWORKS,
        (),
        "The proxies before `manage.py serve`: what they say of the client (`X-Forwarded-For`, `X-Forwarded-Proto`) is"
        " believed.",
        shown="none",
    )
    keep_alive_seconds: int = variable(
        "MILO_KEEP_ALIVE_SECONDS",
        values.number(1, 3600),
        75,
        "An idle connection is closed after so long: longer than the proxy before keeps its own.",
    )
    header_seconds: int = variable(
        "MILO_HEADER_SECONDS",
        values.number(1, 300),
        10,
        "The head of a request, at most 32 KiB, must have arrived after so long.",
    )
    drain_seconds: int = variable(
        "MILO_DRAIN_SECONDS",
        values.number(0, 3600),
        5,
        "After SIGTERM readiness fails for so long before connections are refused, so that balancers notice. It is less"
        " than `MILO_STOP_SECONDS`.",
    )
    stop_seconds: int = variable(
        "MILO_STOP_SECONDS",
        values.number(1, 3600),
        30,
        "A process that serves has left so long after SIGTERM: what still runs is cut off.",
    )
    data_dir: Path = variable(
        "MILO_DATA_DIR",
        values.PATH,
        BASE_DIR / "var",
        "The folder for the files of the installation, readable by its owner only.",
        shown="`var` in the checkout",
    )
    debug: bool = variable(
        "MILO_DEBUG", values.BOOLEAN, False, "Django's debug pages, for development only: they show settings and data."
    )
    http_port: int = variable(
        "MILO_HTTP_PORT", values.number(0, 65535), 8000, "The port of `make up` without TLS; 0 selects a free one."
    )
    https_port: int = variable(
        "MILO_HTTPS_PORT", values.number(0, 65535), 8443, "The port of `make up` with TLS; 0 selects a free one."
    )
