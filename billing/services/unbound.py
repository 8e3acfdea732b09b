"""Inspect the table of unbound projects, which triggers keep: it has each active project for which nobody pays."""

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef, Q

from billing.models import BillingAccountBinding, UnboundProject
from milo.ledger import inspections
from projects.models import Project


def inspect() -> int:
    """Compare the whole table, record the result as that of the check `unbound`, and return the number of faults."""
    found = list(differences())
    inspections.record("unbound", len(found), "; ".join(found[:3]))
    return len(found)


def differences() -> Iterator[str]:
    """Yield each project that the table lacks or has though it should not, for people.

    Each half is one statement, so that what is bound meanwhile is no difference.
    """
    paying = BillingAccountBinding.objects.paying()
    lacking = Project.objects.active().filter(~Exists(paying.filter(project=OuterRef("pk"))), unbound=None)
    for name in lacking.order_by("pk").values_list("name", flat=True).iterator():
        yield f"{name}: nobody pays for it, and it is not among the unbound projects"
    wrong = UnboundProject.objects.filter(
        ~Q(project__phase=Project.Phase.ACTIVE)
        | ~Q(created_at=F("project__created_at"))
        | Exists(paying.filter(project=OuterRef("pk")))
    )
    for name in wrong.order_by("pk").values_list("project__name", flat=True).iterator():
        yield f"{name}: is among the unbound projects, and is paid for, archived, or of another instant"
