"""The Celery application. The broker is transport only: everything owed is a row first."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
app = Celery("milo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
