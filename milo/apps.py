from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy

from milo import (
    data_folder,
    letter_case,  # noqa: F401  connects a receiver for connections to SQLite
    telemetry,  # noqa: F401  registers a check of the settings
)
from milo.append_only import install_after_migrate, lift_before_migrate


class MiloConfig(AppConfig):
    name = "milo"
    verbose_name = "Milo"

    def ready(self) -> None:
        data_folder.close(settings.DATA_DIR)
        # first, so that a refusal leaves everything as it was
        pre_migrate.connect(_refuse_loss_of_proof, dispatch_uid="milo.ledger.downgrades")
        pre_migrate.connect(lift_before_migrate, dispatch_uid="milo.append_only")
        post_migrate.connect(install_after_migrate, dispatch_uid="milo.append_only")
        _seal_change_log()
        _watch_personal_data()


def _refuse_loss_of_proof(**kwargs: Any) -> None:
    from milo.ledger.downgrades import refuse_loss_of_proof

    refuse_loss_of_proof(**kwargs)


def _seal_change_log() -> None:
    """Register the change log for sealing and for clocks, and make compaction wait for seals.

    None of the packages imports another of them.
    """
    from milo import clock
    from milo.kube.models import Change
    from milo.kube.store import changes
    from milo.ledger import seals, tables

    tables.register(
        tables.Table(
            Change,
            organization="organization",
            gone_below=changes.oldest_version,
        )
    )
    changes.register_floor(lambda instant: seals.sealed_before(Change._meta.db_table, instant))
    clock.register_newest(changes.newest_instant)


def _watch_personal_data() -> None:
    """Have what is read of personal columns noted, of rows and of their histories; and what was revealed sealed."""
    from django.apps import apps
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth.models import User

    from milo import audit, personal
    from milo.columns import Columns
    from milo.identity.models import LogIn
    from milo.ledger import tables

    tables.register(tables.Table(LogEntry))
    for model in apps.get_models():
        if columns := getattr(model, "columns", None):
            records = audit.histories().get(model)
            personal.watch(model, columns, *([records.model_of(model)] if records else []))
    past_users = audit.histories()[User].model_of(User)
    personal.watch(User, Columns.of(personal="email"), past_users)
    # names of staff stay legible, though many are addresses: an audit is about who did something
    for model, column in ((User, "username"), (past_users, "username"), (LogIn, "name")):
        personal.watch_names(model, column)


class StaffSiteConfig(AdminConfig):
    default_site = "milo.admin.site.StaffSite"

    def ready(self) -> None:
        super().ready()
        # not in milo.admin itself, which is imported before the site that they register with exists
        from milo.admin import guards, identities, log_ins, second_factor, tokens, users  # noqa: F401

        guards.declare_guards()
        _translate_relations()


def _translate_relations() -> None:
    """Have columns that lead to other rows, and are called by their names, called so in the person's language."""
    from django.apps import apps

    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.is_relation and isinstance(field.verbose_name, str):
                field.verbose_name = gettext_lazy(field.verbose_name)
