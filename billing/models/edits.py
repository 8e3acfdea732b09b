"""Who changed what an approval is based on: history rows that changed a reviewed column.

Approving services and the inbox both use these querysets, so that they agree on who may approve.
"""

from typing import Any

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from billing.models.account import BillingAccount
from billing.models.account_preferences import PreferencesColumns
from billing.models.account_terms import TermsColumns
from billing.models.suspension import Suspension
from milo import audit

REVIEWED: dict[type[models.Model], tuple[str, ...]] = {
    BillingAccount: (
        "phase",
        "generation",
        "display_name",
        "currency_code",
        "payment_profile",
        "invoice_email_addresses",
        *(column.name for column in (*TermsColumns._meta.local_fields, *PreferencesColumns._meta.local_fields)),
    ),
    Suspension: ("reason_code", "evidence"),
}
"""The columns that a review contains (`billing.services.approvals.reviews`)."""


def edits(model: type[models.Model], account: Any, approvals: QuerySet[Any]) -> QuerySet[Any]:
    """Return the history rows of `model` that changed a reviewed column of `account` since its last approval.

    `account` is a primary key or an `OuterRef` to one, `approvals` the approved requests. Rows before the last approval
    are left out, because that approval confirmed them; rows that it wrote itself are included. Rows of system actors
    are left out, because they never approve.
    """
    history = audit.histories()[model].model_of(model)._base_manager
    owner = "id" if model is BillingAccount else "account_id"
    previous = history.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id")).order_by("-history_id")
    unchanged = history.filter(*map(_same, REVIEWED[model]), history_id=OuterRef("previous"))
    approved = approvals.filter(account_id=OuterRef(owner)).order_by("-decided_at")
    rows = history.filter(**{owner: account}).exclude(history_user_id__startswith="system:")
    rows = rows.annotate(previous=Subquery(previous.values("history_id")[:1]))
    rows = rows.annotate(approved_at=Subquery(approved.values("decided_at")[:1]))
    # rows that an approval wrote have its instant, all rows before it an earlier one
    since: QuerySet[Any] = rows.filter(~Exists(unchanged), Q(approved_at=None) | Q(history_date__gte=F("approved_at")))
    return since


def standings(model: type[models.Model], request: Any) -> QuerySet[Any]:
    """Return the history rows that created `request`, renewed it or took it over.

    `model` is the model of requests, `request` a primary key or an `OuterRef` to one.
    """
    history = audit.histories()[model].model_of(model)._base_manager
    rows: QuerySet[Any] = history.filter(id=request, phase="Pending")
    return rows.filter(Q(history_user_id=F("requester")) | Q(history_user_id=F("taken_over_by")))


def by(person: Any) -> Q:
    """Return the condition that a history row was written by `person`, or with a credential that `person` created."""
    return Q(history_user_id=person) | Q(history_credential_maker=person)


def _same(column: str) -> Q:
    """Return the condition that a column equals that of the outer row, NULL being equal to NULL."""
    both_null = Q(IsNull(F(column), True)) & Q(IsNull(OuterRef(column), True))
    return Q(**{column: OuterRef(column)}) | both_null
