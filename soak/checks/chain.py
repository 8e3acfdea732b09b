"""The chain of seals verifies, against the heads that left the database."""

import json
from collections.abc import Iterator

from soak.evidence import Evidence
from soak.processes import NotStarted


def verifies(evidence: Evidence) -> Iterator[str]:
    """Seal what is left, have Milo verify everything, and compare the heads with the seals of the database."""
    milo = evidence.milo
    try:
        milo.manage("ledger", "seal")
        milo.manage("ledger", "verify", "--against", str(milo.heads))
    except NotStarted as error:
        yield str(error)[-600:]
    seals = {row["number"]: row["digest"] for row in evidence.query("SELECT number, digest FROM ledger_seal")}
    heads: dict[int, str] = {}
    for line in milo.heads.read_text().splitlines() if milo.heads.exists() else []:
        try:
            head = json.loads(line)
        except ValueError:
            yield f"the anchor has a line that is no head: {line[:100]!r}"
            continue
        heads[head["number"]] = head["digest"]
    for number in sorted(seals.keys() | heads.keys()):
        if seals.get(number) != heads.get(number):
            yield f"seal {number} is {seals.get(number)}, and its head {heads.get(number)}"
    if not seals:
        yield "nothing was sealed"
