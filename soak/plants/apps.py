import os
from importlib import import_module

from django.apps import AppConfig


class PlantsConfig(AppConfig):
    """Plants the fault that SOAK_PLANT names, when all other applications are loaded."""

    name = "soak.plants"
    label = "soak_plants"

    def ready(self) -> None:
        import_module(f"soak.plants.{os.environ['SOAK_PLANT']}").plant()
