"""Settings of the tests: `TEST_DATABASE_URL` names the engine, a SQLite file where it is unset or empty.

`tests/run.py` starts a PostgreSQL of its own and sets the variable.
"""

import hashlib
import os
import tempfile
from pathlib import Path

os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or "sqlite://"
os.environ.setdefault("MILO_SECRET_KEY", "the tests sign outside of development too, so it is long")
os.environ.setdefault("MILO_LOG_FORMAT", "console")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from milo import clock
from milo.settings import *  # noqa: F403
from milo.settings import DATABASES
from milo.settings.environment import BASE_DIR

if not os.environ.get("TEST_DATABASE_URL"):
    # a file, because threads of one test must see one database
    # of this checkout, because another one may be tested at the same time
    checkout = hashlib.sha256(str(BASE_DIR).encode()).hexdigest()[:8]
    path = os.environ.get("TEST_SQLITE") or Path(tempfile.gettempdir(), f"milo-test-{checkout}.sqlite3")
    # threads of a test end with it, and their connections with them
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["TEST"] = {"NAME": str(path)}
    # a test database need not survive a power cut
    DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"

# a test that travels in time takes the database with it (tests/support/world_clock.py)
clock.DATABASE_CLOCK = "public.test_clock()"
_ledger = Path(tempfile.mkdtemp(prefix="milo-ledger-"))
# the tests are an installation, which makes no key by itself
(_ledger / "signing.pem").write_bytes(
    Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
)
MILO_LEDGER_KEYS, MILO_LEDGER_HEADS = str(_ledger), str(_ledger / "heads.jsonl")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT = "memory://", ""
