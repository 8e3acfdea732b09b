"""Queries of accounts."""

from typing import TYPE_CHECKING

from django.apps import apps
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from billing.models.account_phases import VERIFIER_UNAVAILABLE, AccountPhases
from milo.kube.models import ResourceQuerySet

if TYPE_CHECKING:
    from billing.models.account import BillingAccount

# deeper than any tree may be (MILO_HIERARCHY_DEPTH), and an end where guards were off
_ABOVE = """(WITH RECURSIVE above(id, level) AS (
    SELECT f.parent_id, 1 FROM billing_billingaccountaffiliation f
    WHERE f.account_id = billing_billingaccount.id AND f.phase = 'Active' AND f.parent_id IS NOT NULL
    UNION ALL SELECT f.parent_id, above.level + 1 FROM billing_billingaccountaffiliation f
    JOIN above ON f.account_id = above.id
    WHERE f.phase = 'Active' AND f.parent_id IS NOT NULL AND above.level < 20) SELECT max(level) FROM above)"""
OF_PAYER = ("name", "phase", "phase_since", "phase_reason", "phase_message")


class BillingAccountQuerySet(ResourceQuerySet["BillingAccount"]):
    def with_linked_projects_count(self) -> "BillingAccountQuerySet":
        """Annotate accounts with `linked_projects_count`, the number of projects that each pays for now."""
        # a subquery per row: a join would count the bindings of all accounts before the first page
        bindings = apps.get_model("billing.BillingAccountBinding").objects
        linked = bindings.paying().filter(account=OuterRef("pk")).order_by().values("account")
        return self.annotate(linked_projects_count=Coalesce(Subquery(linked.annotate(n=Count("pk")).values("n")), 0))

    def with_hierarchy(self) -> "BillingAccountQuerySet":
        """Annotate accounts with where they stand among others now.

        `parent_name` and `payer_name` are None where there is none but itself, `accounts_above` and
        `sub_accounts_count` (directly below) are numbers or None. `payer_phase` and the like are those of the payer of
        record, `affiliated_at` since when the ledger knows the relation in force.
        """
        affiliations = apps.get_model("billing.BillingAccountAffiliation").objects.active().order_by()
        own = affiliations.filter(account=OuterRef("pk"))
        below = affiliations.filter(parent=OuterRef("pk")).values("parent").annotate(n=Count("pk")).values("n")
        return self.annotate(
            parent_name=Subquery(own.values("parent__name")[:1]),
            affiliated_at=Subquery(own.values("activated_at")[:1]),
            **{f"payer_{column}": F(f"paid_by__{column}") for column in OF_PAYER},
            accounts_above=RawSQL(_ABOVE, [], output_field=models.IntegerField()),  # noqa: S611  a constant
            sub_accounts_count=Coalesce(Subquery(below), 0),
        )

    def waiting_for_validation(self) -> "BillingAccountQuerySet":
        """Select accounts with unfinished validation: Provisioning, or Incomplete while a verifier was unavailable."""
        unfinished = Q(phase=AccountPhases.Phase.PROVISIONING) | Q(phase_reason=VERIFIER_UNAVAILABLE)
        return self.filter(unfinished, first_ready_at=None)
