from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class LedgerConfig(AppConfig):
    name = "milo.ledger"
    label = "ledger"
    verbose_name = gettext_lazy("Ledger")

    def ready(self) -> None:
        from milo.ledger import checks, guards  # noqa: F401  registers the checks

        guards.declare_guards()
