"""The bill of an account by scope: what it is invoiced for, of its own and of other accounts, or a showback."""

from datetime import date

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from billing.models import AccountPayer, BillingAccount
from billing.models.affiliation import payer_of_record
from billing.services.affiliations.scopes import OWN, PAID
from billing.services.usage.exports import Selection, bill_of
from billing.usage import focus
from billing.usage.focus import Bill
from milo.errors import Cause, Invalid

SHOWBACK = "showback"
SCOPES = (OWN, PAID)
_AT_ONCE = 100


def bill_of_scope(account: BillingAccount, period: date, scope: str, view: str = "") -> tuple[Bill, Selection]:
    """Return the bill of `account` for the month `period` (its first day), and which sums are on it.

    The payer of record is that of the month of the usage, so that each sum is on one bill of all: what comes late is on
    that of whoever was payer then. A showback has all sums of the account, and is no bill. Raises `Invalid` for the own
    bill of an account that another pays for, and for a showback of `paid`.
    """
    if view == SHOWBACK:
        if scope != OWN:
            raise Invalid.because([Cause("query.view", _("is a view of the scope own"))])
        return bill_of(account, period, focus.SHOWBACK), [Q(account=account)]
    if scope == PAID:
        return bill_of(account, period, focus.CHILDREN), [_own(account), *_of_others(account)]
    payer = payer_of_record(account, period)
    if payer.pk != account.pk:
        message = _(
            "%(payer)s is payer of record of %(name)s in %(month)s: read its bill with scope=paid, or ask for"
            " view=showback"
        )
        names = {"payer": payer.name, "name": account.name, "month": f"{period:%Y-%m}"}
        raise Invalid.because([Cause("query.view", message % names)])
    return bill_of(account, period), [_own(account)]


def _own(account: BillingAccount) -> Q:
    """Select the sums of an account but for those that another is invoiced for."""
    others = AccountPayer.objects.filter(account=account).exclude(payer=account)
    if not others.exists():
        return Q(account=account)
    return Q(account=account) & ~Q(Exists(_in_month(others)))


def _of_others(account: BillingAccount) -> Selection:
    """Select the sums of other accounts that `account` is invoiced for, some accounts at a time."""
    paid = AccountPayer.objects.filter(payer=account).exclude(account=account)
    keys = sorted(set(paid.values_list("account", flat=True)))
    condition = Q(Exists(_in_month(paid.filter(account=OuterRef("account")))))
    return [Q(account__in=keys[start : start + _AT_ONCE]) & condition for start in range(0, len(keys), _AT_ONCE)]


def _in_month(rows: QuerySet[AccountPayer]) -> QuerySet[AccountPayer]:
    # months begin on their first days, so that any day of one lies between the same two
    day = OuterRef("starts_on")
    return rows.filter(Q(until_month=None) | Q(until_month__gt=day), from_month__lte=day)
