from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IdentityConfig(AppConfig):
    name = "milo.identity"
    label = "identity"
    verbose_name = _("Access")

    def ready(self) -> None:
        from milo.identity import access

        access.declare_rules()
