from django.apps import AppConfig

from milo.settings import checks


class SettingsConfig(AppConfig):
    """Stands last among the applications: refuses to start any process with settings that they cannot work with."""

    name = "milo.settings"
    label = "settings"

    def ready(self) -> None:
        checks.require()
