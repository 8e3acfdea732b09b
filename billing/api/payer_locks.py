"""The actions that lock and unlock the payer of a project, and how a lock is shown."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import F, FilteredRelation, Q
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.access import LOCK_PAYER, UNLOCK_PAYER
from billing.api import examples
from billing.models import BillingAccountBinding, PayerLock
from billing.models.binding import BillingAccountBindingQuerySet
from billing.services.payer_locks import lock_payer, unlock_payer
from milo.access import Actor
from milo.kube.fields import StringField
from milo.kube.kinds import Action
from milo.kube.store.manifests import precise_instant, without_empty
from projects.models import Project


class PayerLockSerializer(serializers.Serializer[Any]):
    by = serializers.CharField(help_text=gettext_lazy("Who locked the payer."))
    at = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) since which it is locked."))
    reason = serializers.CharField(help_text=gettext_lazy("Why, as given to the action lockpayer."))


class PastPayerLockSerializer(PayerLockSerializer):
    unlockedBy = serializers.CharField(required=False, help_text=gettext_lazy("Who unlocked the payer."))
    unlockedAt = serializers.DateTimeField(required=False, help_text=gettext_lazy("Instant (UTC) of the unlocking."))
    unlockReason = serializers.CharField(
        required=False, help_text=gettext_lazy("Why, as given to the action unlockpayer.")
    )


class LockPayerSerializer(serializers.Serializer[Any]):
    reason = StringField(
        max_length=2000, help_text=gettext_lazy("Why; shown with the project, in refusals and in the history.")
    )


def with_lock(bindings: BillingAccountBindingQuerySet) -> BillingAccountBindingQuerySet:
    """Annotate active bindings with the open lock of their projects, for `shown_lock`: a join, not a query."""
    open_lock = FilteredRelation("project__payer_locks", condition=Q(project__payer_locks__unlocked_at=None))
    return bindings.annotate(open_lock=open_lock).annotate(
        locked_by=F("open_lock__locked_by"), locked_at=F("open_lock__locked_at"), lock_reason=F("open_lock__reason")
    )


def shown_lock(binding: BillingAccountBinding) -> dict[str, Any] | None:
    """Return the lock of a binding that `with_lock` has annotated; None if there is none."""
    lock: Any = binding
    if lock.locked_at is None:
        return None
    return {"by": lock.locked_by, "at": precise_instant(lock.locked_at), "reason": lock.lock_reason}


def past_locks(locks: Iterable[PayerLock]) -> list[dict[str, Any]]:
    """Return locks as JSON, open ones and past ones."""
    return [
        without_empty(
            {
                "by": lock.locked_by,
                "at": precise_instant(lock.locked_at),
                "reason": lock.reason,
                "unlockedBy": lock.unlocked_by,
                "unlockedAt": lock.unlocked_at and precise_instant(lock.unlocked_at),
                "unlockReason": lock.unlock_reason,
            }
        )
        for lock in locks
    ]


def _call(service: Callable[..., Project]) -> Callable[..., Project]:
    def call(row: Project, spec: dict[str, Any], *, actor: Actor) -> Project:
        return service(row.pk, **spec, actor=actor)

    return call


PAYER_LOCK_ACTIONS = (
    Action(
        LOCK_PAYER,
        _call(lock_payer),
        LockPayerSerializer,
        gettext_lazy("Lock the payer: until unlockpayer, the project cannot be bound to another account nor archived."),
        examples.LOCK_PAYER,
    ),
    Action(
        UNLOCK_PAYER,
        _call(unlock_payer),
        LockPayerSerializer,
        gettext_lazy("Unlock the payer: the project can be bound to another account again, and archived."),
        examples.UNLOCK_PAYER,
    ),
)
