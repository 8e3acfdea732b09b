"""The worth of early and late payment, in exact decimals (docs/compliance.md, "Conventions")."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal

from iso4217 import Currency

from billing.terms.payment_terms import EarlyPaymentDiscount, LatePaymentPenalty

DAYS_OF_A_YEAR = 365  # ACT/365 fixed: leap years too
# so that no intermediate result is rounded, whatever amount a ledger may hold
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Discount:
    """Paid on `deadline` or before, `payable` is due: the invoiced amount less `amount`."""

    deadline: date
    amount: Decimal
    payable: Decimal


@dataclass(frozen=True, slots=True)
class LateInterest:
    """Interest of `amount` for `days` after the day by which to pay; 0 within the grace days."""

    days: int
    amount: Decimal


def minor_unit(currency_code: str) -> Decimal:
    """The smallest amount of an ISO 4217 currency: 0.01 for USD, 1 for JPY. Raises ValueError for an unknown code."""
    return Decimal(1).scaleb(-(Currency(currency_code).exponent or 0))


def amount_text(amount: Decimal, currency_code: str) -> str:
    """`amount` with the decimal places of its ISO 4217 currency, for people: "100", "100.00", "100.000".

    An amount of more places than the currency has keeps them. Raises ValueError for an unknown code.
    """
    places = -min(minor_unit(currency_code).adjusted(), int(amount.normalize(_EXACT).as_tuple().exponent))
    return f"{amount:.{places}f}"


def money_text(amount: Decimal, currency_code: str) -> str:
    """`amount_text` and the currency: "100 JPY", "100.00 EUR", "100.000 BHD"."""
    return f"{amount_text(amount, currency_code)} {currency_code}"


def is_payable(amount: Decimal, currency_code: str) -> bool:
    """Whether `amount` can be invoiced: from 0 to 15 digits before the point, in whole minor units."""
    return amount.is_finite() and 0 <= amount < Decimal(10) ** 15 and amount == _rounded(amount, currency_code)


def discount(
    terms: EarlyPaymentDiscount, amount: Decimal, currency_code: str, invoice_date: date, *, paid_on: date | None = None
) -> Discount | None:
    """The discount of an invoice over `amount`, HALF_UP to the minor unit; None where `paid_on` is past its deadline.

    Raises ValueError for an amount that `is_payable` refuses.
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
    """Simple interest from the day after `payable_by` up to and including `paid_on`, rounded once, HALF_UP.

    Grace is a threshold: one day more than the grace days, and every late day counts. Raises
    ValueError for an amount that `is_payable` refuses.
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
