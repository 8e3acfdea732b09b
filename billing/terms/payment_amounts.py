"""The discount for early payment and the interest for late payment, in exact decimals.

The rules are those of docs/compliance.md, "Conventions".
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal

from iso4217 import Currency

from billing.terms.payment_terms import EarlyPaymentDiscount, LatePaymentPenalty

DAYS_OF_A_YEAR = 365  # ACT/365 fixed: leap years too
# enough digits that no intermediate result is rounded
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Discount:
    """The discount `amount` for payment on `deadline` or before; `payable` is the invoiced amount less the discount."""

    deadline: date
    amount: Decimal
    payable: Decimal


@dataclass(frozen=True, slots=True)
class LateInterest:
    """The interest `amount` for a payment `days` late; 0 within the grace days."""

    days: int
    amount: Decimal


def minor_unit(currency_code: str) -> Decimal:
    """Return the minor unit of an ISO 4217 currency: 0.01 for USD, 1 for JPY. Raises ValueError for an unknown code."""
    return Decimal(1).scaleb(-(Currency(currency_code).exponent or 0))


def amount_text(amount: Decimal, currency_code: str) -> str:
    """Return `amount` with the decimal places of its ISO 4217 currency, for people: "100", "100.00", "100.000".

    More decimal places than those of the currency are kept. Raises ValueError for an unknown code.
    """
    places = -min(minor_unit(currency_code).adjusted(), int(amount.normalize(_EXACT).as_tuple().exponent))
    return f"{amount:.{places}f}"


def money_text(amount: Decimal, currency_code: str) -> str:
    """Return `amount_text` with the currency: "100 JPY", "100.00 EUR", "100.000 BHD"."""
    return f"{amount_text(amount, currency_code)} {currency_code}"


def is_payable(amount: Decimal, currency_code: str) -> bool:
    """Return whether `amount` can be invoiced: not negative, at most 15 digits before the point, whole minor units."""
    return amount.is_finite() and 0 <= amount < Decimal(10) ** 15 and amount == _rounded(amount, currency_code)


def discount(
    terms: EarlyPaymentDiscount, amount: Decimal, currency_code: str, invoice_date: date, *, paid_on: date | None = None
) -> Discount | None:
    """Return the discount of an invoice over `amount`, rounded HALF_UP to the minor unit; None after its deadline.

    Without `paid_on` the deadline is not checked. Raises ValueError for an amount that `is_payable` refuses.
    """
    _refuse_unpayable(amount, currency_code)
    deadline = invoice_date + timedelta(days=terms.days)
    if paid_on is not None and paid_on > deadline:
        return None
    waived = _rounded(_EXACT.multiply(amount, terms.percent.scaleb(-2)), currency_code)
    return Discount(deadline, waived, amount - waived)


def late_interest(
    terms: LatePaymentPenalty, amount: Decimal, currency_code: str, payable_by: date, paid_on: date
) -> LateInterest:
    """Return simple interest (ACT/365 fixed) from the day after `payable_by` up to and including `paid_on`.

    It is rounded once, HALF_UP. The grace days are a threshold: a payment later than those bears interest for every
    late day. Raises ValueError for an amount that `is_payable` refuses.
    """
    _refuse_unpayable(amount, currency_code)
    days = max(0, (paid_on - payable_by).days)
    if days <= terms.grace_days:
        return LateInterest(days, _rounded(Decimal(0), currency_code))
    owed = _EXACT.multiply(_EXACT.multiply(amount, terms.annual_rate_percent), Decimal(days))
    return LateInterest(days, _rounded(_EXACT.divide(owed, Decimal(100 * DAYS_OF_A_YEAR)), currency_code))


def _rounded(amount: Decimal, currency_code: str) -> Decimal:
    return amount.quantize(minor_unit(currency_code), context=_EXACT)


def _refuse_unpayable(amount: Decimal, currency_code: str) -> None:
    if not is_payable(amount, currency_code):
        raise ValueError(f"{amount} {currency_code} is not an amount of whole minor units")
