from django.apps import AppConfig

from milo.settings import checks


class SettingsConfig(AppConfig):
    """The last application: refuses to start a process whose settings fail the checks of the others."""

    name = "milo.settings"
    label = "settings"

    def ready(self) -> None:
        checks.require()
