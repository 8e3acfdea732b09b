"""Quantities: exact decimals, which travel as strings because JSON numbers would lose digits."""

import re
from decimal import Context, Decimal

INTEGER_DIGITS, DECIMAL_PLACES = 20, 12
FORM = re.compile(rf"-?(0|[1-9][0-9]{{0,{INTEGER_DIGITS - 1}}})(\.[0-9]{{1,{DECIMAL_PLACES}}})?")
# no sum of events that a disk can hold has more digits
EXACT = Context(prec=80)


def plain(quantity: Decimal) -> str:
    """Without an exponent and without zeros at the end: `1.50` is `1.5`."""
    text = f"{quantity:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
