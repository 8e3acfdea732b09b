from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy


class IdentityConfig(AppConfig):
    name = "milo.identity"
    label = "identity"
    verbose_name = gettext_lazy("Access")

    def ready(self) -> None:
        from milo.identity import access, guards, histories, log_ins, user_indexes
        from milo.identity.models import LogIn
        from milo.ledger import proofs, tables

        access.declare_rules()
        guards.declare_guards()
        log_ins.connect()
        user_indexes.declare()
        tables.register(tables.Table(LogIn))
        proofs.register(proofs.Proof("passwords", histories.passwords))
        proofs.register(proofs.Proof("second-factors", histories.second_factors))
        from milo.identity import (
            checks,  # noqa: F401  registers the check of the settings
            second_factor,  # noqa: F401  connects a receiver of user_logged_in
            sessions,  # noqa: F401  connects a receiver of user_logged_in
        )

        post_migrate.connect(make_role_groups, sender=self, dispatch_uid="milo.identity.role_groups")


def make_role_groups(using: str, apps: Any, **kwargs: Any) -> None:
    """Create a group for each platform role of the access table, so that it can be granted.

    Does nothing after a migration back to a version in which groups have no history yet.
    """
    from django.contrib.auth.models import Group

    from milo.access import TABLE
    from milo.audit.authors import working

    if "historicalgroup" not in apps.all_models["identity"]:
        return
    roles = {rule.role for rule in TABLE if not rule.organization}
    known = set(Group.objects.using(using).values_list("name", flat=True))
    with working(lambda: "system:migrate"):
        for role in sorted(roles - known):
            Group.objects.using(using).create(name=role)
