"""Failed log-ins have kept browser, path and parameters until now: 15 minutes of counting are worth less than that."""

from typing import Any

from django.db import migrations

KEPT = ("AccessAttempt", "AccessFailureLog", "AccessLog")


def forget(apps: Any, schema_editor: Any) -> None:
    for name in KEPT:
        apps.get_model("axes", name).objects.using(schema_editor.connection.alias).all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0005_credentials"),
        ("axes", "0010_accessattemptexpiration"),
    ]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop, elidable=True)]
