"""System check of MILO_OIDC, which needs the roles of the access table."""

from collections.abc import Iterator

from django.conf import settings

from milo.access import TABLE
from milo.settings import checks
from milo.settings.oidc import faults_of


@checks.register("milo.E003")
def faults() -> Iterator[str]:
    """Yield each fault of MILO_OIDC, including groups mapped to something else than a platform role."""
    configured = settings.MILO_OIDC
    for fault in faults_of(configured) if configured else ():
        yield f"MILO_OIDC: {fault}"
    known = {rule.role for rule in TABLE if not rule.organization}
    groups = configured.get("groups", {})
    for group, role in groups.items() if isinstance(groups, dict) else ():
        if role not in known:
            roles = ", ".join(sorted(known))
            yield f"MILO_OIDC: group {group} maps to {role}, which is no role across the platform ({roles})"
