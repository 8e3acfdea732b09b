"""The days on which invoices are made, due and payable under given terms (docs/compliance.md, "Conventions").

Days are calendar dates of the invoice, without a time zone. A business day is any day outside the weekend; public
holidays differ by place and bank, and are out of scope.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

from billing.terms.payment_terms import BusinessDayConvention, InvoiceFrequency, PaymentTerms

_MONTHS = {InvoiceFrequency.MONTHLY: 1, InvoiceFrequency.QUARTERLY: 3, InvoiceFrequency.ANNUAL: 12}
_SATURDAY = 5
IsWeekend = Callable[[date], bool]
_DAY = timedelta(days=1)
# a period begins up to a year earlier, and a due date falls up to a year later, still inside the calendar
_FIRST_YEAR, _LAST_YEAR = date.min.year + 1, date.max.year - 2


@dataclass(frozen=True, slots=True)
class ScheduledInvoice:
    """One invoice: for `period_start` up to, not including, `period_end`; its last day to pay is `payable_by`."""

    invoice_date: date
    period_start: date
    period_end: date
    due_date: date
    payable_by: date


def saturday_or_sunday(day: date) -> bool:
    """Return whether a day is of the usual weekend."""
    return day.weekday() >= _SATURDAY


def schedule(
    terms: PaymentTerms, after: date, count: int, is_weekend: IsWeekend = saturday_or_sunday
) -> list[ScheduledInvoice]:
    """Return the next `count` invoices made strictly after the day `after`, fewer at the end of the calendar.

    `is_weekend` tells the days from which the business day convention moves a due date. Raises ValueError for terms
    without net days, frequency or day, or without the anchor month of quarterly and annual invoices
    (`PaymentTerms.anchored` adds one).
    """
    if terms.net_days is None:
        raise ValueError("the terms name no net days")
    invoices = []
    for day in islice(invoice_dates(terms, after), count):
        due = due_date(day, terms.net_days)
        start, end = invoice_period(terms, day)
        payable = payable_by(due, terms.business_day_convention, is_weekend)
        invoices.append(ScheduledInvoice(day, start, end, due, payable))
    return invoices


def invoice_dates(terms: PaymentTerms, after: date) -> Iterator[date]:
    """Yield the invoice dates strictly after the day `after`, in order, within the years 2 to 9997.

    An invoice date is the invoice day of a month whose distance from the anchor month is divisible by 1, 3 or 12.
    """
    step, anchor, day = _rhythm(terms)
    after = max(after, date(_FIRST_YEAR - 1, 12, 31))
    month = after.year * 12 + after.month - 1
    if after.day >= day:
        month += 1
    month += (anchor - month) % step
    while month // 12 <= _LAST_YEAR:
        yield _month_start(month).replace(day=day)
        month += step


def invoice_period(terms: PaymentTerms, invoice_date: date) -> tuple[date, date]:
    """Return the half-open period of an invoice: from the previous invoice date up to, not including, its own."""
    step, _anchor, day = _rhythm(terms)
    before = invoice_date.year * 12 + invoice_date.month - 1 - step
    return _month_start(before).replace(day=day), invoice_date


def due_date(invoice_date: date, net_days: int) -> date:
    """Return the nominal due date. The invoice date is not counted: with 0 net days they are the same."""
    return invoice_date + timedelta(days=net_days)


def payable_by(due: date, convention: str, is_weekend: IsWeekend = saturday_or_sunday) -> date:
    """Return the last day to pay what is nominally due on `due`; weekends move it, holidays do not."""
    return _CONVENTIONS[BusinessDayConvention(convention)](due, is_weekend)


def _rhythm(terms: PaymentTerms) -> tuple[int, int, int]:
    """Return the months between invoices, one month (0 to 11) with an invoice, and the day of the month."""
    if terms.invoice_frequency is None or terms.invoice_day_of_month is None:
        raise ValueError("the terms name no invoice frequency or no day of the month")
    step = _MONTHS[InvoiceFrequency(terms.invoice_frequency)]
    if step > 1 and terms.anchor_month is None:
        raise ValueError("quarterly and annual terms need an anchor month")
    return step, (terms.anchor_month or 1) - 1, terms.invoice_day_of_month


def _month_start(month: int) -> date:
    """Return the first day of a month, counted from January of the year 0."""
    return date(month // 12, month % 12 + 1, 1)


def _following(day: date, is_weekend: IsWeekend) -> date:
    while is_weekend(day):
        day += _DAY
    return day


def _preceding(day: date, is_weekend: IsWeekend) -> date:
    while is_weekend(day):
        day -= _DAY
    return day


def _modified_following(day: date, is_weekend: IsWeekend) -> date:
    moved = _following(day, is_weekend)
    return moved if moved.month == day.month else _preceding(day, is_weekend)


_CONVENTIONS: dict[BusinessDayConvention, Callable[[date, IsWeekend], date]] = {
    BusinessDayConvention.NONE: lambda day, _is_weekend: day,
    BusinessDayConvention.FOLLOWING: _following,
    BusinessDayConvention.MODIFIED_FOLLOWING: _modified_following,
    BusinessDayConvention.PRECEDING: _preceding,
}
