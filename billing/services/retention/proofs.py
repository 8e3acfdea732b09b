"""Prove that every redaction is of an object of a purged account."""

from collections.abc import Iterator

from django.db.models import Min, Q

from billing.models import BillingAccount
from billing.services.retention.bundles import LEDGER
from milo.ledger.live import Difference
from milo.ledger.models import Redaction

_AT_ONCE = 500


def differences() -> Iterator[Difference]:
    """Yield the first redaction of each subject that neither is a purged account nor belongs to one."""
    subjects = Redaction.objects.values_list("subject").annotate(first=Min("pk")).order_by("subject")
    after = ""
    while batch := dict(subjects.filter(subject__gt=after)[:_AT_ONCE]):
        after = max(batch)
        purged = _purged(list(batch))
        for subject in sorted(batch.keys() - purged):
            yield Difference(Redaction._meta.db_table, batch[subject], "redacts what was not purged")


def _purged(subjects: list[str]) -> set[str]:
    purged: set[str] = set()
    for model in LEDGER.values():
        path = "" if model is BillingAccount else "account__"
        rows = model._default_manager.filter(Q(uid__in=subjects), ~Q(**{f"{path}pseudonymised_on": None}))
        purged |= {str(uid) for uid in rows.values_list("uid", flat=True)}
    return purged
