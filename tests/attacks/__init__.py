"""Writes past the services, by the name under which the database refuses each, and the world each is made upon."""

from typing import Any

from tests.attacks import affiliations, identity, ledger, life, past, payer_changes, usage
from tests.attacks.machinery import Attack

ATTACKS: dict[str, tuple[type[Any], list[Attack]]] = {
    name: (table.World, attacks)
    for table in (affiliations, identity, ledger, life, past, payer_changes, usage)
    for name, attacks in table.ATTACKS.items()
}
