"""The spec of an affiliation, and the faults that it has by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import BillingAccountAffiliation
from billing.models.usage_partitions import next_month
from billing.services.payer_changes.plans import reason_causes
from milo.dates import first_of_month, parse_month
from milo.errors import Cause

ACCOUNT, PARENT, PAYER = "spec.billingAccountRef.name", "spec.parentRef.name", "spec.payer"
EFFECTIVE_FROM = "spec.effectiveFrom"
MONTHS_AHEAD = 12


@dataclass(frozen=True, slots=True)
class AffiliationSpec:
    """`account` is under `parent` (names; empty: under nobody) from the month `effective_from` (its first day) on.

    Without a month it is the next one. Without `payer` the parent pays, if there is one.
    """

    account: str
    reason: str
    parent: str = ""
    payer: str = ""
    effective_from: date | None = None

    @property
    def paid_by_parent(self) -> bool:
        return (self.payer or self.default_payer) == BillingAccountAffiliation.Payer.PARENT

    @property
    def default_payer(self) -> str:
        payers = BillingAccountAffiliation.Payer
        return (payers.PARENT if self.parent else payers.SELF).value

    def causes(self) -> list[Cause]:
        """Return every fault of the spec that needs no look at the rows."""
        causes = reason_causes(self.reason)
        payers = BillingAccountAffiliation.Payer
        if self.payer and self.payer not in payers.values:
            causes.append(Cause(PAYER, _("must be one of %(known)s") % {"known": ", ".join(payers.values)}))
        if self.parent and self.parent == self.account:
            causes.append(Cause(PARENT, _("an account cannot be its own parent")))
        if self.payer == payers.PARENT and not self.parent:
            causes.append(Cause(PAYER, _("there is no parent that could pay")))
        return causes


def spec_of(account: str, proposal: Mapping[str, Any], reason: str) -> AffiliationSpec:
    """Return the spec that a request about the account named `account` proposes; its justification is the reason."""
    month = str(proposal.get("effectiveFrom", ""))
    return AffiliationSpec(
        account=account,
        reason=reason,
        parent=str((proposal.get("parentRef") or {}).get("name", "")),
        payer=str(proposal.get("payer", "")),
        effective_from=parse_month(month) if month else None,
    )


def present_month() -> date:
    """Return the first day of the present month (UTC)."""
    return first_of_month(timezone.now())


def months_after(month: date, number: int) -> date:
    """Return the first day of the month `number` months after `month`."""
    for _each in range(number):
        month = next_month(month)
    return month
