"""Who changed what an approval rests on: the columns that a review reads, compared from one history row to the next.

Services and the inbox ask here, so that they agree.
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
"""The columns that `reviews.reviewed` reads."""


def edits(model: type[models.Model], account: Any, approvals: QuerySet[Any]) -> QuerySet[Any]:
    """Return the history rows of `model` that changed a reviewed column of `account` since its last approval.

    `account` is a primary key or an `OuterRef` to one, `approvals` the approved requests. An approval has confirmed
    what stood there before; what it changed itself counts. The platform's own changes do not: it approves nothing.
    """
    history = audit.histories()[model].model_of(model)._base_manager
    owner = "id" if model is BillingAccount else "account_id"
    previous = history.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id")).order_by("-history_id")
    unchanged = history.filter(*map(_same, REVIEWED[model]), history_id=OuterRef("previous"))
    approved = approvals.filter(account_id=OuterRef(owner)).order_by("-decided_at")
    rows = history.filter(**{owner: account}).exclude(history_user_id__startswith="system:")
    rows = rows.annotate(previous=Subquery(previous.values("history_id")[:1]))
    rows = rows.annotate(approved_at=Subquery(approved.values("decided_at")[:1]))
    # the rows of an approval have its instant, and all before it an earlier one
    since: QuerySet[Any] = rows.filter(~Exists(unchanged), Q(approved_at=None) | Q(history_date__gte=F("approved_at")))
    return since


def standings(model: type[models.Model], request: Any) -> QuerySet[Any]:
    """Return the history rows by which somebody asked for `request`, renewed it or took it over.

    `model` is that of the requests, `request` a primary key or an `OuterRef` to one.
    """
    history = audit.histories()[model].model_of(model)._base_manager
    rows: QuerySet[Any] = history.filter(id=request, phase="Pending")
    return rows.filter(Q(history_user_id=F("requester")) | Q(history_user_id=F("taken_over_by")))


def by(person: Any) -> Q:
    """Return the condition that a history row was written by `person`, or by a credential that `person` made."""
    return Q(history_user_id=person) | Q(history_credential_maker=person)


def _same(column: str) -> Q:
    """The condition that a column is that of the outer row, NULL equal to NULL."""
    both_null = Q(IsNull(F(column), True)) & Q(IsNull(OuterRef(column), True))
    return Q(**{column: OuterRef(column)}) | both_null
