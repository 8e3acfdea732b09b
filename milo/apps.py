from django.apps import AppConfig
from django.db.models.signals import post_migrate

from milo.append_only import install_after_migrate


class MiloConfig(AppConfig):
    name = "milo"
    verbose_name = "Milo"

    def ready(self) -> None:
        post_migrate.connect(install_after_migrate, dispatch_uid="milo.append_only")
