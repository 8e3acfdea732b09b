from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class IdentityConfig(AppConfig):
    name = "milo.identity"
    label = "identity"
    verbose_name = _("Access")

    def ready(self) -> None:
        from milo.identity import access, guards

        access.declare_rules()
        guards.declare_guards()
        from milo.identity import (
            checks,  # noqa: F401  registers the check of the settings
            second_factor,  # noqa: F401  asks whoever has one
            sessions,  # noqa: F401  gives each session its age
        )

        post_migrate.connect(make_role_groups, sender=self, dispatch_uid="milo.identity.role_groups")


def make_role_groups(using: str, **kwargs: Any) -> None:
    """Make a group of each platform role of the access table, so that people can be given it."""
    from django.contrib.auth.models import Group

    from milo.access import TABLE

    roles = sorted({rule.role for rule in TABLE if not rule.organization})
    Group.objects.using(using).bulk_create([Group(name=role) for role in roles], ignore_conflicts=True)
