"""Close a month of usage: its figures never change any more."""

from datetime import date

from django.db.models import Max
from django.utils.translation import gettext as _

from billing.access import ACCOUNTS
from billing.models import BillingAccount, UsageClosing
from billing.models.usage_partitions import next_month
from billing.services.payer_changes import facts
from billing.services.usage import locks, times
from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid


def close_month(account_id: int, month: date, *, reason: str, actor: Actor) -> UsageClosing:
    """Close the figures of an account up to and including `month` (any day of it, in UTC).

    Usage of that time that arrives, or is assigned to the account, later is billed in the first month that is open
    then, as a correction. Payer changes of the account that are due come first. Raises `Forbidden`; `Invalid` without
    a reason, for a month that has not ended, or for one that is closed already; `Unavailable` while a payer change
    takes effect.
    """
    facts.make_due_facts_of(account_id)
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        actor.require("create", ACCOUNTS, account.organization_id, action="closeusage")
        facts.refuse_due_of(account_id)
        locks.lock_all_exclusive()
        at = times.decision()
        causes = [] if reason.strip() else [Cause.required("spec.reason")]
        last: date | None = UsageClosing.objects.filter(account=account).aggregate(last=Max("opens_on"))["last"]
        if (at.year, at.month) <= (month.year, month.month):
            causes.append(Cause("spec.month", _("has not ended yet, in UTC")))
        elif last and last > month:
            causes.append(Cause("spec.month", _("is closed already"), "FieldValueDuplicate"))
        if causes:
            raise Invalid.because(causes)
        opens_on = next_month(month)
        closing = UsageClosing(account=account, opens_on=opens_on, closed_at=at, closed_by=actor.name, reason=reason)
        why = f"{month:%Y-%m}: {reason}"
        audit.save_as(actor, closing, reason="UsageClosed", why=why)
        audit.mark_changed(actor, account, reason="UsageClosed", why=why)
        return closing
