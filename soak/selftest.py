"""`python -m soak.selftest`: plant one fault after the other, and require that the checks find each.

A soak that finds nothing proves something only if it would have found what it looks for.
"""

import argparse
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from soak import clocks
from soak.milo import Milo
from soak.options import Options
from soak.postgresql import make_folder
from soak.run import soak


@dataclass(frozen=True, slots=True)
class Plant:
    """A planted fault, and the checks of which at least one must find it.

    `module` is in `soak.plants`; a fault of the database alone has `settings` of PostgreSQL or SQL to run `before`.
    """

    name: str
    found_by: tuple[str, ...]
    module: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    before: str = ""
    faults: tuple[str, ...] = ()
    times: int = 1
    """How many times as long it runs."""


PLANTS = (
    Plant("a lock removed", ("closed-pays-nothing",), "lock_removed"),
    Plant(
        "time before the lock",
        ("one-payer",),
        "time_before_lock",
        before="""
            DROP TRIGGER binding_follows_previous ON billing_billingaccountbinding;
            DROP TRIGGER binding_continues_superseded ON billing_billingaccountbinding;
            ALTER TABLE billing_billingaccountbinding DROP CONSTRAINT binding_no_overlap,
                DROP CONSTRAINT binding_ends_after_start;""",
    ),
    Plant(
        "asynchronous commit",
        ("acknowledged-bindings", "acknowledged-usage", "acknowledged-objects"),
        settings={"synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"},
        faults=("postgresql",),
    ),
    Plant("notices by on_commit only", ("notices-owed",), "notices_on_commit", faults=("mail", "web")),
    Plant(
        "numbering by a sequence",
        ("watches-complete",),
        "sequence_numbering",
        before="CREATE SEQUENCE soak_number; GRANT USAGE ON SEQUENCE soak_number TO milo_application",
    ),
    Plant("a clock that is believed", ("instants-true",), "clock_believed", faults=("clock",)),
    # usage has to arrive first, and two people to agree
    Plant("corrections that move no usage", ("usage-sums",), "corrections_uncounted", times=3),
    Plant("affiliations that change no payer", ("payers-of-record",), "payers_kept"),
)
KILLS = 4


def prepare(plant: Plant, made: Path, milo: Milo) -> None:
    """Copy the database that was made once, and break it where the plant says so."""
    milo.copy(made)
    if plant.settings:
        milo.postgresql.stop()
        milo.postgresql.configure(plant.settings)
        milo.postgresql.start()
    if plant.before:
        milo.postgresql.execute(plant.before)


def make(folder: Path) -> None:
    """Make the database of all soaks in an empty folder: migrations take most of the time of a short one."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    milo = Milo(folder, webs=0)
    milo.make()
    milo.postgresql.stop()


def main() -> int:
    """Plant each fault, print which check found it, and return 1 where one was not found."""
    parser = argparse.ArgumentParser(prog="python -m soak.selftest", description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=40, help="of each soak (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="default: by chance")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm/milo-soak"), help="default: %(default)s")
    parser.add_argument("--only", help="a word in the name of the faults to plant")
    chosen = parser.parse_args()
    # so that everything is stopped at the end, too, where somebody ends the soak
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    made = chosen.folder.with_name(f"{chosen.folder.name}-made")
    make(made)
    missed = 0
    for plant in PLANTS:
        if "clock" in plant.faults and clocks.library() is None:
            print(f"{plant.name}: not tried, because libfaketime is not installed")
            continue
        if chosen.only and chosen.only not in plant.name:
            continue
        begun = time.monotonic()
        faults, kills = plant.faults, KILLS if plant.faults else 0
        options = Options(
            chosen.seconds * plant.times,
            kills,
            24,
            2,
            chosen.seed,
            chosen.folder,
            plant=plant.module,
            # more accounts than projects, so that many can be closed, and projects have rivals
            accounts=12,
            projects=6,
            faults=faults,
            clocks="clock" in faults,
        )
        found = soak(options, partial(prepare, plant, made)).found
        named = [name for name in plant.found_by if name in found]
        missed += not named
        verdict = f"found by {', '.join(named)}" if named else "NOT FOUND"
        print(f"{plant.name}: {verdict} (seed {chosen.seed}, {time.monotonic() - begun:.0f} s)")
        for name, sentences in found.items():
            print(f"  {name}: {len(sentences)}, such as: {sentences[0]}", flush=True)
    shutil.rmtree(made)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
