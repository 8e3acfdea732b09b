"""`python -m soak`: see docs/soak.md."""

import shutil
import signal
import sys

from soak import options
from soak.run import soak, tracebacks

SHOWN = 20


def main() -> int:
    """Run one soak, print what was done and found, and return the exit status."""
    chosen = options.read()
    # so that everything is stopped at the end, too, where somebody ends the soak
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    print(f"seed {chosen.seed}: {chosen.seconds:.0f} s, {chosen.kills} faults, {chosen.clients} clients", flush=True)
    report = soak(chosen)
    print("\n".join(report.lines))
    for name, faults in report.found.items():
        print(f"FAILED {name}: {len(faults)} found")
        print("\n".join(f"  {fault}" for fault in faults[:SHOWN]))
    for line, times in tracebacks(chosen.folder / "logs").most_common(SHOWN):
        print(f"in the logs, {times} times: {line}")
    if report.found:
        print(f"seed {chosen.seed}; the evidence is in {chosen.folder}")
        return 1
    print(f"nothing was lost (seed {chosen.seed})")
    if not chosen.keep:
        shutil.rmtree(chosen.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
