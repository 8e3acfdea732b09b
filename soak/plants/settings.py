"""Settings of production, with one fault planted once everything is loaded."""

from milo.settings import *  # noqa: F403
from milo.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "soak.plants.apps.PlantsConfig"]
