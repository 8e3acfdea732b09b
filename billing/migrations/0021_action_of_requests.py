"""What clients manage of an approval request as `spec.act` is called `spec.action` now."""

from typing import Any, ClassVar

from django.db import migrations


def _rename(apps: Any, old: str, new: str) -> None:
    requests = apps.get_model("billing", "ApprovalRequest").objects
    for pk, managers in requests.exclude(managed_fields=[]).values_list("pk", "managed_fields").iterator():
        owned = [manager["fieldsV1"].get("f:spec", {}) for manager in managers]
        if any(old in spec for spec in owned):
            for spec in owned:
                if old in spec:
                    spec[new] = spec.pop(old)
            requests.filter(pk=pk).update(managed_fields=managers)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("billing", "0020_split_history_reasons")]

    operations: ClassVar = [
        migrations.RunPython(
            lambda apps, _editor: _rename(apps, "f:act", "f:action"),
            lambda apps, _editor: _rename(apps, "f:action", "f:act"),
        )
    ]
