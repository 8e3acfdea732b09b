"""The check of the setting MILO_OIDC by the roles that there are."""

from collections.abc import Iterator

from django.conf import settings

from milo.access import TABLE
from milo.settings import checks
from milo.settings.oidc import faults_of


@checks.register("milo.E003")
def faults() -> Iterator[str]:
    """Yield each fault of MILO_OIDC; a group leads to a role across the platform."""
    given = settings.MILO_OIDC
    for fault in faults_of(given) if given else ():
        yield f"MILO_OIDC: {fault}"
    known = {rule.role for rule in TABLE if not rule.organization}
    groups = given.get("groups", {})
    for group, role in groups.items() if isinstance(groups, dict) else ():
        if role not in known:
            roles = ", ".join(sorted(known))
            yield f"MILO_OIDC: group {group} maps to {role}, which is no role across the platform ({roles})"
