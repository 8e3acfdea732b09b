"""What a soak is told: how long, how many, which seed."""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

KINDS = ("postgresql", "web", "worker", "beat", "redis", "mail", "disk", "clock")
ONE_OF_EACH = ("postgresql", "web", "worker", "redis", "mail")


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` is how long the clients write, in which `kills` faults are injected; `folder` is emptied before."""

    seconds: float
    kills: int
    clients: int
    webs: int
    seed: int
    folder: Path
    keep: bool = False
    clocks: bool = False
    """Whether the clocks of two processes are set, too."""
    plant: str = ""
    accounts: int = 8
    projects: int = 24
    """How many of each an organization has at first."""
    faults: tuple[str, ...] = ()
    """The kinds to inject, in turn; by default they are chosen by chance."""


def read(arguments: list[str] | None = None) -> Options:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m soak",
        description="Run Milo under load while its processes are killed, then look for anything lost. Exit status 1 "
        "where a check found something. See docs/soak.md.",
    )
    parser.add_argument("--minutes", type=float, default=480, help="how long the clients write (default: a night)")
    parser.add_argument("--kills", type=int, help="faults in that time (default: one every 8 seconds)")
    parser.add_argument("--clients", type=int, default=64, help="HTTP clients (default: %(default)s)")
    parser.add_argument("--webs", type=int, default=3, help="web processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the choices of clients and faults (default: by chance, printed)")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm/milo-soak"), help="default: %(default)s")
    parser.add_argument(
        "--faults",
        nargs="+",
        default=[],
        choices=KINDS,
        metavar="KIND",
        help=f"only these, in turn: {', '.join(KINDS)}",
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder where nothing was found, too")
    parser.add_argument("--clocks", action="store_true", help="set clocks, too; needs Debian's package faketime")
    parser.add_argument("--short", action="store_true", help="10 seconds, 5 faults and 6 clients, as in CI")
    chosen = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    if chosen.short:
        kills = len(ONE_OF_EACH)
        return Options(10, kills, 6, 2, seed, chosen.folder, chosen.keep, accounts=3, projects=6, faults=ONE_OF_EACH)
    seconds = chosen.minutes * 60
    kills = round(seconds / 8) if chosen.kills is None else chosen.kills
    faults = tuple(chosen.faults)
    clocks = chosen.clocks or "clock" in faults
    return Options(seconds, kills, chosen.clients, chosen.webs, seed, chosen.folder, chosen.keep, clocks, faults=faults)
