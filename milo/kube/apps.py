from django.apps import AppConfig
from django.conf import settings


class KubeConfig(AppConfig):
    name = "milo.kube"
    label = "kube"
    verbose_name = "Change log"

    def ready(self) -> None:
        from milo.kube import changes, guards, managers  # noqa: F401  they register what each write does besides
        from milo.kube.models import Change
        from milo.ledger import tables

        guards.declare_guards()
        tables.register(
            tables.Table(
                Change,
                organization="organization",
                kept_for=lambda: settings.MILO_CHANGE_LOG_RETENTION,
            )
        )
