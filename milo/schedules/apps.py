from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "milo.schedules"
    label = "schedules"
    verbose_name = "Schedules"
