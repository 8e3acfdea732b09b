"""Close a month of usage: its figures never change any more. Who is payer of record closes it for all that it pays."""

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from functools import partial

from django.db.models import Max
from django.utils.translation import gettext as _

from billing.access import ACCOUNTS
from billing.models import AccountPayer, BillingAccount, UsageClosing, UsageRollup
from billing.models.affiliation import payer_of_record
from billing.models.usage_partitions import next_month
from billing.services.affiliations import facts as affiliations
from billing.services.affiliations.locks import lock_hierarchy
from billing.services.payer_changes import facts
from billing.services.usage import locks, times
from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid

_LISTED = 100


def close_month(account_id: int, month: date, *, reason: str, actor: Actor) -> UsageClosing:
    """Close the figures of an account, and of all that it is payer of record of, up to and including `month`.

    `month` is any day of it (UTC). Usage of that time that arrives, or is assigned, later is billed in the first month
    that is open then, as a correction. What is due of payer changes and affiliations comes first. Raises `Forbidden`;
    `Invalid` without a reason, for a month that has not ended, is closed already, or is another's to close, and while
    an account that it pays for has an open month that is another's; `Unavailable` while one takes effect.
    """
    organization_id = BillingAccount.objects.values_list("organization_id", flat=True).get(pk=account_id)
    affiliations.make_due_facts(organization_id)
    facts.make_due_facts_of(account_id)
    with audit.transaction():
        _settle_in_dry_run(organization_id, account_id)
        paid = _paid_until(account_id, month)
        accounts = BillingAccount.objects.locked().filter(pk__in={account_id, *paid}).in_bulk()
        account = accounts[account_id]
        actor.require("create", ACCOUNTS, account.organization_id, action="closeusage")
        affiliations.refuse_due(organization_id)
        facts.refuse_due_of(account_id)
        # what is closed in a dry run is open again at its end; with the locks of what it settled they are out of order
        if not audit.is_dry_run():
            locks.lock_all_exclusive()
        at = times.decision()
        open_since = _open_since(accounts)
        causes = [] if reason.strip() else [Cause.required("spec.reason")]
        causes += _month_causes(account, month, open_since.get(account_id), at)
        for key, last in paid.items():
            causes += _open_before(accounts[key], account, last, open_since.get(key))
        if causes:
            raise Invalid.because(causes[:_LISTED])
        closing = _close(account, month, at, reason, actor)
        for key, last in paid.items():
            if (open_since.get(key) or date.min) <= last:
                _close(accounts[key], last, at, reason, actor)
        return closing


def _settle_in_dry_run(organization_id: int, account_id: int) -> None:
    """Settle what is due in the transaction of a dry run: of affiliations first, under the locks of the projects."""
    if audit.is_dry_run():
        lock_hierarchy(organization_id)
        facts.settle_in_dry_run(account_id, between=partial(affiliations.settle_in_dry_run, organization_id))


def _paid_until(payer_id: int, month: date) -> dict[int, date]:
    """Return the other accounts that the payer paid for in `month` or before, each with the last such month."""
    first = month.replace(day=1)
    spans = AccountPayer.objects.filter(payer=payer_id, from_month__lte=first).exclude(account=payer_id)
    until: dict[int, date] = {}
    for account_id, end in spans.values_list("account", "until_month"):
        last = first if end is None or end > first else (end - timedelta(days=1)).replace(day=1)
        until[account_id] = max(until.get(account_id, last), last)
    return until


def _open_since(accounts: Collection[int]) -> dict[int, date]:
    """Return the first open month of each account that has closed one."""
    closings = UsageClosing.objects.filter(account__in=accounts).order_by().values_list("account")
    return dict(closings.annotate(last=Max("opens_on")))


def _month_causes(account: BillingAccount, month: date, open_since: date | None, at: datetime) -> Iterator[Cause]:
    if (at.year, at.month) <= (month.year, month.month):
        yield Cause("spec.month", _("has not ended yet, in UTC"))
    payer = payer_of_record(account, month)
    if payer != account:
        message = _("%(payer)s closes %(month)s for it")
        yield Cause("spec.month", message % {"payer": payer.name, "month": f"{month:%Y-%m}"})
    if open_since and open_since > month:
        yield Cause("spec.month", _("is closed already"), "FieldValueDuplicate")


def _open_before(account: BillingAccount, payer: BillingAccount, month: date, open_since: date | None) -> list[Cause]:
    """Return a cause if `account`, paid for in `month`, has an open month with usage that another than `payer` pays."""
    first = month.replace(day=1)
    spans = AccountPayer.objects.filter(account=account, from_month__lte=first).order_by("-from_month")
    begins = first
    for span in spans:
        if span.payer_id != payer.pk:
            break
        begins = span.from_month
    before = UsageRollup.objects.filter(account=account, starts_on__lt=begins)
    if open_since:
        before = before.filter(starts_on__gte=open_since)
    last: date | None = before.aggregate(last=Max("starts_on"))["last"]
    if last is None:
        return []
    message = _("%(account)s has an open month, %(month)s, which %(payer)s pays: have that closed first")
    names = {"account": account.name, "month": f"{last:%Y-%m}", "payer": payer_of_record(account, last).name}
    return [Cause("spec.month", message % names)]


def _close(account: BillingAccount, month: date, at: datetime, reason: str, actor: Actor) -> UsageClosing:
    opens_on, why = next_month(month), f"{month:%Y-%m}: {reason}"
    closing = UsageClosing(account=account, opens_on=opens_on, closed_at=at, closed_by=actor.name, reason=reason)
    audit.save_as(actor, closing, reason="UsageClosed", why=why)
    audit.mark_changed(actor, account, reason="UsageClosed", why=why)
    return closing
