"""Settings are read from the environment once: a fault ends every process, and is told by its variable."""

import ast
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from psycopg.pq import PGconn

from milo.dev import settings_page
from milo.ledger import keys
from milo.settings import database_url
from milo.settings.environment import MARKER, all_variables, read_environment
from milo.settings.values import BOOLEAN, KEY
from milo.settings.variables import Variable

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("milo", "projects", "billing")
OIDC = '"issuer": "https://id.example", "audience": "milo", "jwks_url": "https://id.example/keys"'


def run(tmp_path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of an installation of its own."""
    given = {"PATH": os.environ["PATH"], "MILO_DATA_DIR": str(tmp_path), **environment}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=given, capture_output=True, check=False, text=True)


def faults(**environment: str) -> list[str]:
    try:
        read_environment(environment)
    except ImproperlyConfigured as refusal:
        return str(refusal).splitlines()
    return []


def refused(**environment: str) -> list[str]:
    found = faults(**environment)
    assert found
    return found


def test_an_installation_behind_tls_passes_djangos_checklist_for_deployment(tmp_path: Path) -> None:
    command = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    given = {"MILO_HTTPS_ONLY": "1", "MILO_SECRET_KEY": secrets.token_hex(32)}
    done = run(tmp_path, *command, **given, MILO_LEDGER_SIGNING_KEY=keys.new_key())
    assert (done.returncode, done.stderr) == (0, "")
    done = run(tmp_path / "other", *command, **given)
    assert done.returncode == 1
    assert "there is no key to sign the ledger" in done.stderr


@pytest.mark.once
@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "serve", "--port", "0"),
        ("-c", "import milo.asgi"),
        ("-m", "celery", "-A", "milo.celery", "worker", "--pool", "solo"),
    ],
    ids=["serve", "asgi", "worker"],
)
def test_a_second_host_does_not_make_a_secret_key_of_its_own(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run(tmp_path, *command)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"there is no secret key: MILO_SECRET_KEY is not set, and {tmp_path}/secret_key does not exist. Give this host"
        " the key of the others; for the first one `openssl rand -hex 32` prints a new key (docs/deploying.md, Keys)"
    )
    assert not (tmp_path / "secret_key").exists()


@pytest.mark.once
def test_commands_need_no_secret_key_and_development_makes_one_once(tmp_path: Path) -> None:
    done = run(tmp_path, "manage.py", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "secret_key").exists()
    show = ("-c", "import django; django.setup(); from django.conf import settings; print(settings.SECRET_KEY)")
    assert "SECRET_KEY" in run(tmp_path, *show, DJANGO_SETTINGS_MODULE="milo.settings").stderr
    made = run(tmp_path, *show, DJANGO_SETTINGS_MODULE="milo.settings", MILO_DEBUG="1").stdout
    assert len(made.strip()) > 50
    # one of a version that made it by itself goes on
    assert run(tmp_path, *show, DJANGO_SETTINGS_MODULE="milo.settings").stdout == made


def test_a_worker_refuses_to_start_without_a_key_that_signs(tmp_path: Path) -> None:
    done = run(
        tmp_path, "-m", "celery", "-A", "milo.celery", "worker", "--pool", "solo", MILO_SECRET_KEY=secrets.token_hex(32)
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"{tmp_path}/ledger-keys/signing.pem does not exist, and MILO_LEDGER_SIGNING_KEY is not set" in last
    assert "`manage.py ledger key` prints a new one" in last
    assert not (tmp_path / "ledger-keys").exists()


EMAIL = ("MILO_EMAIL_TLS", "on", "MILO_EMAIL_TLS must be true or false (also 1, 0, yes or no), not 'on'")
COUNTRY = ("MILO_PLATFORM_COUNTRY", "UK", "an ISO 3166-1 alpha-2 code such as DE, not 'UK'")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        # all processes read the same object, so each value is tried on half of them
        (("manage.py", "check"), EMAIL),
        (("manage.py", "migrate"), COUNTRY),
        (("manage.py", "up"), EMAIL),
        (("-c", "import milo.asgi"), COUNTRY),
        (("-m", "celery", "-A", "milo.celery", "worker"), EMAIL),
        (("-m", "celery", "-A", "milo.celery", "beat"), COUNTRY),
    ],
)
def test_every_process_refuses_to_start_with_a_wrong_setting(
    tmp_path: Path, command: tuple[str, ...], wrong: tuple[str, str, str]
) -> None:
    variable, value, told = wrong
    done = run(tmp_path, *command, **{variable: value})
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].endswith(told)
    assert not (tmp_path / "milo.sqlite3").exists()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("MILO_LEDGER_ANCHOR", "milo.ledger.anchors.Nobody", "Nobody"),
        ("MILO_LEDGER_ANCHOR", "milo.ledger.anchors.head_of", "make no anchor"),
        ("MILO_LEDGER_ANCHOR_OPTIONS", '{"pfad": "heads"}', "pfad"),
        ("MILO_ARCHIVE_STORAGE", "django.core.files.storage.Nothing", "Nothing"),
        ("MILO_PAYMENT_PROFILE_VERIFIER", "billing.verifiers.Gateway", "Gateway"),
        ("MILO_PAYMENT_PROFILE_VERIFIER", "datetime.datetime", "without arguments"),
        ("MILO_PAYMENT_PROFILE_VERIFIER", "decimal.Decimal", "with a method verify"),
        ("MILO_DATA_REGIONS", "EU,MOON", "MOON"),
        ("MILO_FEATURE_GATES", "UsageIntak=false", "did you mean UsageIntake?"),
        ("MILO_OIDC", f'{{{OIDC}, "groups": {{"finance": "wizard"}}}}', "wizard, which is no role"),
    ],
)
def test_what_the_applications_do_not_know_is_refused_at_the_start(
    tmp_path: Path, variable: str, value: str, told: str
) -> None:
    done = run(tmp_path, "-c", "import milo.asgi", **{variable: value})
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert variable in last
    assert told in last


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("MILO_DEBUG", "on", "true or false"),
        ("MILO_HTTPS_ONLY", "2", "true or false"),
        ("MILO_EMAIL_TLS", "enabled", "true or false"),
        ("MILO_EMAIL_PORT", "smtp", "a whole number from 1 to 65535"),
        ("MILO_EMAIL_PORT", "0", "a whole number from 1 to 65535"),
        ("MILO_SESSION_HOURS", "0", "a whole number from 1"),
        ("MILO_REQUESTS_PER_MINUTE", "-1", "a whole number from 0"),
        ("MILO_TOKEN_LONGEST_DAYS", "1e3", "a whole number"),
        ("MILO_RETENTION_YEARS", "\u0661\u0660", "a whole number"),
        ("MILO_APPROVAL_DAYS", "1_000", "a whole number"),
        ("MILO_THREADS", "999999999999", "a whole number"),
        ("MILO_EMAIL_FROM", "Rechnüng <rechnüng@example.org>", "ASCII letters only before the @"),
        ("MILO_EMAIL_FROM", "billing@☃.example", "IDNA 2008 refuses the domain"),
        ("MILO_EMAIL_FROM", "billing", "an e-mail address"),
        ("MILO_MESSAGE_ID_DOMAIN", "xn--a.example", "IDNA 2008 refuses the domain"),
        ("MILO_MESSAGE_ID_DOMAIN", "a@b>", "a domain"),
        ("MILO_NOTICE_LANGUAGE", "fr", "en or de"),
        ("MILO_NOTICE_LANGUAGE", "de-DE", "en or de"),
        ("MILO_ALLOWED_HOSTS", "https://milo.example.org", "'https://milo.example.org' is not one"),
        ("MILO_ALLOWED_HOSTS", "milo.example.org:443", "without scheme and port"),
        ("MILO_ALLOWED_HOSTS", "milo.example.org,*.example.org", "'*.example.org' is not one"),
        ("MILO_ALLOWED_HOSTS", ".", "'.' is not one"),
        ("MILO_ALLOWED_HOSTS", " , ", "the list is empty"),
        ("MILO_ALLOWED_HOSTS", ".com", "'.com' is not one"),
        ("MILO_ALLOWED_HOSTS", "milo.example.org,.org", "'.org' is not one"),
        ("MILO_TRUSTED_ORIGINS", "https://*.com", "'https://*.com' is not one"),
        ("MILO_TRUSTED_PROXIES", "0.0.0.0/0", "it holds every address"),
        ("MILO_TRUSTED_PROXIES", "10.0.0.0/8,::/0", "it holds every address"),
        ("MILO_TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/2,192.0.0.0/2", "it holds every address"),
        ("MILO_TRUSTED_PROXIES", "::ffff:0:0/96", "it holds every address"),
        ("MILO_TRUSTED_PROXIES", "*", "'*' is not one"),
        ("MILO_TRUSTED_ORIGINS", "milo.example.org", "https://milo.example.org"),
        ("MILO_TRUSTED_ORIGINS", "https://milo.example.org/", "without path"),
        ("MILO_TRUSTED_ORIGINS", "https://*", "'https://*' is not one"),
        ("MILO_TRUSTED_ORIGINS", "https://milo.example.org:x", "is not one"),
        ("MILO_LEDGER_ANCHOR", "milo/ledger/anchors.py", "the dotted path"),
        ("MILO_ARCHIVE_STORAGE", "S3Storage", "the dotted path"),
        ("MILO_PLATFORM_COUNTRY", "Germany", "ISO 3166-1 alpha-2"),
        ("MILO_PLATFORM_COUNTRY", "de", "ISO 3166-1 alpha-2"),
        ("MILO_DATA_REGIONS", "EU;US", "separated by commas"),
        ("MILO_EMAIL_HOST", "smtp://mail.example.org", "without scheme and port"),
        ("MILO_FOCUS_PROVIDER_NAME", "Milo\nInc", "printable text"),
        ("MILO_HTTP_PORT", "65536", "a whole number from 0 to 65535"),
    ],
)
def test_a_value_that_is_not_accepted_is_named_with_what_is(variable: str, value: str, accepted: str) -> None:
    (line,) = refused(**{variable: value})
    assert line.startswith(f"{variable} must be ")
    assert f"not {value.strip()!r}" in line
    assert accepted in line


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("MILO_SECRET_KEY", "", "it is empty"),
        ("MILO_SECRET_KEY", "   ", "it is empty"),
        ("DATABASE_URL", "mysql://milo:hush@localhost/milo", "postgresql://USER:PASSWORD@HOST:PORT/NAME"),
        ("DATABASE_URL", "postgresql://milo:hush@localhost:port/milo", "postgresql://USER:PASSWORD@HOST:PORT/NAME"),
        ("DATABASE_URL", "postgresql://milo:hush/1@localhost/milo", "postgresql://USER:PASSWORD@HOST:PORT/NAME"),
        ("DATABASE_URL", "postgresql://milo:hush@db/milo?foo=hush", "the option 'foo' is none of PostgreSQL"),
        ("DATABASE_URL", "postgresql://milo:hush@db/milo?ssl_mode=hush", "did you mean sslmode?"),
        ("DATABASE_URL", "postgresql://milo:hush@db/milo?prepare_threshold=1", "is none of PostgreSQL"),
        ("DATABASE_URL", "postgresql://milo:hush@db/milo?sslmode=hush", "sslmode must be disable or allow or"),
        ("DATABASE_URL", "postgresql://milo:hush@db/milo?sslmode=", "sslmode must be disable or allow or"),
        ("DATABASE_URL", "postgresql://milo:hush@db/milo?sslmode=allow&sslmode=require", "stands in it twice"),
        ("DATABASE_URL", "postgresql://milo:hush@db/milo?connect_timeout=-5", "connect_timeout must be a whole number"),
        (
            "DATABASE_URL",
            "postgresql://milo:hush@db/milo?keepalives_idle=hush",
            "keepalives_idle must be a whole number",
        ),
        ("DATABASE_URL", "postgresql:///milo?host=a,b&port=5432,0", "port must be a whole number from 1 to 65535"),
        ("DATABASE_URL", "postgresql://milo:12?hush=1@db/milo", "are written %3F, %23 and %40"),
        ("DATABASE_URL", "postgresql://milo:12#hush@db/milo", "are written %3F, %23 and %40"),
        ("DATABASE_URL", "sqlite:///milo.sqlite3?foo=hush", "the option 'foo' is none of SQLite"),
        ("CELERY_BROKER_URL", "memory://", "no worker would get a message"),
        ("CELERY_BROKER_URL", "redis://:hush@localhost;memory://", "no worker would get a message"),
        ("CELERY_BROKER_URL", "rediss//:hush@localhost", "the URL of a broker"),
        ("CELERY_BROKER_URL", "reddis://:hush@localhost", "the URL of a broker"),
        ("MILO_LEDGER_ANCHOR_OPTIONS", '{"token": "hush"', "a JSON object"),
        ("MILO_LEDGER_ANCHOR_OPTIONS", '{"token": "hush", "token": "hush"}', "a name stands in it twice"),
        ("MILO_LEDGER_SIGNING_KEY", "hush", "an Ed25519 private key in PEM"),
        ("MILO_OIDC", '["hush"]', "a JSON object"),
        ("MILO_OIDC", '{"issuer": "hush"}', "audience must be given"),
        ("MILO_OIDC", f'{{{OIDC}, "client_secert": "hush"}}', "did you mean client_secret?"),
        ("MILO_OIDC", f'{{{OIDC}, "clock_skew_seconds": -1}}', "clock_skew_seconds must be a whole number from 0"),
        ("MILO_OIDC", f'{{{OIDC}, "groups": ["hush"]}}', "groups must be an object"),
        ("MILO_OIDC", f'{{{OIDC}, "token_url": "http://hush"}}', "token_url must begin with https://"),
        ("MILO_OIDC", f'{{{OIDC}, "client_secret": 7, "client_id": "hush"}}', "client_secret must be a text"),
    ],
)
def test_a_secret_that_is_not_accepted_is_named_and_never_repeated(variable: str, value: str, told: str) -> None:
    (line,) = refused(**{variable: value})
    assert line.startswith(f"{variable} must be ")
    assert told in line
    assert "hush" not in line


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MILO_EMAIL_TSL", "MILO_EMAIL_TLS"),
        ("MILO_ALLOWED_HOST", "MILO_ALLOWED_HOSTS"),
        ("milo_debug", "MILO_DEBUG"),
        ("MILO_DATABASE_URL", "DATABASE_URL"),
        ("MILO_SECRETKEY_FILE", "MILO_SECRET_KEY_FILE"),
        ("MILO_EMAIL_HOST_FILE", "MILO_EMAIL_HOST"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(name: str, meant: str) -> None:
    assert refused(**{name: "1"}) == [f"{name} is not a setting: did you mean {meant}?"]


def test_a_variable_like_no_other_is_refused_too() -> None:
    assert refused(MILO_XQZW="1") == ["MILO_XQZW is not a setting: docs/settings.md lists them"]


def test_addresses_that_kubernetes_adds_for_services_are_no_settings() -> None:
    read_environment(
        {
            "MILO_SERVICE_HOST": "10.0.0.1",
            "MILO_SERVICE_PORT": "80",
            "MILO_SERVICE_PORT_HTTP": "80",
            "MILO_PORT": "tcp://10.0.0.1:80",
            "MILO_PORT_80_TCP_ADDR": "10.0.0.1",
            "MILO_WEB_PORT": "tcp://10.0.0.1:80",
        }
    )
    assert refused(MILO_EMIAL_PORT="25") == ["MILO_EMIAL_PORT is not a setting: did you mean MILO_EMAIL_PORT?"]


def test_all_faults_are_told_at_once() -> None:
    lines = refused(MILO_DEBUG="maybe", MILO_EMAIL_PORT="-25", MILO_NOTIC_LANGUAGE="de")
    assert [line.split()[0] for line in lines] == ["MILO_NOTIC_LANGUAGE", "MILO_DEBUG", "MILO_EMAIL_PORT"]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"MILO_ALLOWED_HOSTS": "milo.example.org,*"}, "MILO_ALLOWED_HOSTS must name the hosts"),
        ({"MILO_DRAIN_SECONDS": "30"}, "MILO_DRAIN_SECONDS (30) must be less than MILO_STOP_SECONDS (30)"),
        ({"MILO_STOP_SECONDS": "4"}, "MILO_DRAIN_SECONDS (5) must be less than MILO_STOP_SECONDS (4)"),
        ({"MILO_EMAIL_HOST": "mail.example.org", "MILO_EMAIL_USER": "milo"}, "MILO_EMAIL_PASSWORD go together"),
        ({"MILO_EMAIL_HOST": "mail.example.org", "MILO_EMAIL_PASSWORD": "hush"}, "MILO_EMAIL_PASSWORD go together"),
        ({"MILO_EMAIL_TLS": "true"}, "MILO_EMAIL_HOST must be given"),
        ({"MILO_ARCHIVE_OPTIONS": '{"location": "/archive"}'}, "MILO_ARCHIVE_STORAGE must be given"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(environment: dict[str, str], told: str) -> None:
    (line,) = refused(**environment)
    assert told in line
    assert "hush" not in line


@pytest.mark.parametrize("name", database_url.CHOICES)
def test_libpq_itself_takes_every_word_of_an_option_and_no_other(tmp_path: Path, name: str) -> None:
    def refusal(word: str) -> bytes:
        # libpq checks options before it looks for the socket, which does not exist; sslnegotiation=direct needs TLS
        started = PGconn.connect_start(f"host={tmp_path} dbname=milo sslmode=require {name}={word}".encode())
        try:
            return started.error_message
        finally:
            started.finish()

    for word in database_url.CHOICES[name]:
        assert b"invalid" not in refusal(word), word
        read_environment({"DATABASE_URL": f"postgresql://db/milo?{name}={word}"})
    assert f"invalid {name} value".encode() in refusal("bogus")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://milo:p%3F%23%40@db:5432/milo?sslmode=verify-full&sslrootcert=/etc/milo/ca.pem",
        "postgresql:///milo?host=one,two&port=5432,5433&target_session_attrs=read-write",
        "postgresql://milo@db/milo?connect_timeout=0&application_name=milo&options=-c%20search_path%3Dmilo",
        "postgresql://milo@db/milo?currentSchema=milo",
        "sqlite:////data/milo.sqlite3?timeout=5",
        "sqlite://",
    ],
)
def test_options_of_libpq_are_accepted_in_the_url_of_the_database(url: str) -> None:
    assert read_environment({"DATABASE_URL": url}).stores.database_url == url


def test_any_host_is_admitted_in_development() -> None:
    made = read_environment({"MILO_ALLOWED_HOSTS": "*", "MILO_DEBUG": "true"})
    assert made.server.allowed_hosts == ("*",)


BOOLEANS = [each.name for each in all_variables() if each.format is BOOLEAN]


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("yes", True), ("YES", True), ("False", False), ("0", False), ("no", False)],
)
def test_every_boolean_takes_the_same_words(name: str, text: str, value: bool) -> None:
    made = read_environment({name: text, "MILO_EMAIL_HOST": "mail.example.org"})
    read = {
        each.metadata["variable"].name: getattr(group, each.name)
        for group in (made.server, made.mail, made.access)
        for each in fields(group)
    }
    assert read[name] is value


@pytest.mark.parametrize("name", BOOLEANS)
@given(text=st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text))
def test_no_boolean_takes_another_word(name: str, text: str) -> None:
    if text.strip().lower() in {"true", "1", "yes", "false", "0", "no"}:
        return
    assert any(line.startswith(f"{name} must be true or false") for line in refused(**{name: text}))


@pytest.mark.parametrize("declared", [*all_variables()], ids=lambda declared: declared.name)
def test_every_variable_refuses_by_its_name_what_it_does_not_accept(declared: Variable) -> None:
    refusals = [
        line
        for wrong in ("-1", "nein", "a\nb", "{", " ", "\U0001f984", "http//x")
        for line in faults(**{declared.name: wrong})
        if line.startswith(f"{declared.name} ")
    ]
    assert refusals
    assert not (declared.secret and any("nein" in line or "http//x" in line for line in refusals))


def test_an_empty_value_is_an_unset_one_but_for_the_key() -> None:
    names = {each.name: "" for each in all_variables() if each.format is not KEY}
    assert read_environment(names) == read_environment({})
    assert "MILO_SECRET_KEY must be" in refused(MILO_SECRET_KEY="")[0]


SECRETS = [each for each in all_variables() if each.secret]


@pytest.mark.parametrize("name", [each.name for each in SECRETS])
def test_every_secret_can_be_read_from_a_file(tmp_path: Path, name: str) -> None:
    values = {
        "DATABASE_URL": "postgresql://milo:hush@db/milo",
        "CELERY_BROKER_URL": "redis://:hush@redis/0",
        "MILO_OIDC": f'{{{OIDC}, "client_secret": "hush"}}',
        "MILO_ARCHIVE_OPTIONS": '{"secret_key": "hush"}',
        "MILO_LEDGER_ANCHOR_OPTIONS": '{"token": "hush"}',
        "MILO_LEDGER_SIGNING_KEY": keys.new_key().strip(),
    }
    value, path = values.get(name, f"hush hush {secrets.token_hex(32)}"), tmp_path / "secret"
    path.write_text(f"{value}\n")
    others = {
        "MILO_EMAIL_HOST": "mail.example.org",
        "MILO_EMAIL_USER": "milo" if name == "MILO_EMAIL_PASSWORD" else "",
        "MILO_ARCHIVE_STORAGE": "django.core.files.storage.FileSystemStorage",
    }
    made = read_environment({**others, f"{name}_FILE": str(path)})
    assert made == read_environment({**others, name: value})
    assert made != read_environment(others | {"MILO_EMAIL_USER": ""})
    assert "hush" not in repr(made)


def test_a_file_of_a_secret_that_tells_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "key").write_text("hush")
    key = str(tmp_path / "key")
    assert refused(MILO_SECRET_KEY_FILE=str(tmp_path / "none"))[0].startswith(
        "MILO_SECRET_KEY_FILE must name a file that can be read: "
    )
    assert refused(MILO_SECRET_KEY_FILE=str(tmp_path))[0].startswith("MILO_SECRET_KEY_FILE must name a file")
    assert refused(MILO_SECRET_KEY_FILE=str(tmp_path / "empty"))[0].startswith(
        "MILO_SECRET_KEY_FILE names an empty file"
    )
    (line,) = refused(MILO_SECRET_KEY_FILE=key, MILO_SECRET_KEY="hush")
    assert line == "MILO_SECRET_KEY and MILO_SECRET_KEY_FILE are both set: set one of them"


WEAK = {
    "short": secrets.token_hex(24),
    "of few characters": "hush" * 20,
    "Django's own": f"django-insecure-{secrets.token_hex(32)}",
}
STRONG = "50 characters or more, 5 of them different, and not begin with django-insecure-"


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_a_weak_secret_key_is_refused_outside_development_wherever_it_stands(tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_text(f"{key}\n")
    here = {"MILO_DATA_DIR": str(tmp_path)}
    for source in ({"MILO_SECRET_KEY": key}, {"MILO_SECRET_KEY_FILE": str(tmp_path / "file")}):
        (line,) = refused(**here, **source)
        assert line.startswith(f"MILO_SECRET_KEY must have {STRONG}")
        assert key not in line
    strong = secrets.token_hex(32)
    (line,) = refused(**here, MILO_SECRET_KEY=strong, MILO_SECRET_KEY_FALLBACKS=f"{strong}\n{key}")
    assert line.startswith(f"MILO_SECRET_KEY_FALLBACKS must have keys of {STRONG}")
    assert line.endswith("key 2 is too weak")
    assert not {key, strong} & set(line.split())
    assert faults(**here, MILO_SECRET_KEY=strong, MILO_SECRET_KEY_FALLBACKS=secrets.token_hex(25)) == []
    # development takes any
    assert faults(**here, MILO_SECRET_KEY=key, MILO_SECRET_KEY_FALLBACKS=key, MILO_DEBUG="true") == []
    (tmp_path / MARKER).touch()
    assert faults(**here, MILO_SECRET_KEY=key, MILO_SECRET_KEY_FALLBACKS=key) == []


def test_a_weak_key_ends_a_command_and_one_beside_the_database_too(tmp_path: Path) -> None:
    done = run(tmp_path, "manage.py", "check", MILO_SECRET_KEY="of the hosts")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"MILO_SECRET_KEY must have {STRONG}")
    (tmp_path / "secret_key").write_text("of the hosts")
    done = run(tmp_path, "manage.py", "check")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path}/secret_key must have {STRONG}")
    assert "of the hosts" not in done.stderr


def test_a_key_beside_the_database_that_is_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    done = run(tmp_path, "manage.py", "check")
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}/secret_key is empty: remove it, or set MILO_SECRET_KEY\n")


def test_settings_are_frozen() -> None:
    made = read_environment({})
    with pytest.raises(FrozenInstanceError):
        made.server.debug = True  # type: ignore[misc]


def test_the_page_of_settings_is_the_one_that_is_declared() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page(), "run .venv/bin/python -m milo.dev.settings_page"


# Django's own variable, and the whole environment that a child process is handed
MAY_NAME_THE_ENVIRONMENT = {
    "milo/settings/environment.py",
    "milo/asgi.py",
    "milo/celery.py",
    "milo/dev/child.py",
    "milo/dev/screenshots.py",  # starts manage.py up
    "milo/metrics/shared.py",  # prometheus_client takes its folder from there alone
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in (path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def names_environment(tree: ast.Module) -> bool:
    words = {"environ", "environb", "getenv", "getenvb"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in words)
        or (isinstance(node, ast.alias) and node.name in words)
        or (isinstance(node, ast.Name) and node.id in words)
        for node in ast.walk(tree)
    )


def test_nothing_is_read_from_the_environment_outside_the_settings() -> None:
    assert {name for name, tree in sources() if names_environment(tree)} == MAY_NAME_THE_ENVIRONMENT


def test_every_setting_that_is_named_anywhere_exists() -> None:
    known = {name for each in all_variables() for name in (each.name, each.file)}
    known |= {name for name in dir(settings) if name.startswith("MILO_")}
    texts = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "docs").rglob("*.md")]
    texts += [path for folder in (*PRODUCT, "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    unknown = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in texts
        for name in re.findall(r"\bMILO_[A-Z][A-Z_]*[A-Z]\b", path.read_text())
        if name not in known | {"MILO_SERVICE_HOST"}
    }
    assert unknown == set()
