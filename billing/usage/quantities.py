"""Quantities: exact decimals. They are strings in JSON, because JSON numbers would lose digits."""

import re
from decimal import Context, Decimal

INTEGER_DIGITS, DECIMAL_PLACES = 20, 12
FORM = re.compile(rf"-?(0|[1-9][0-9]{{0,{INTEGER_DIGITS - 1}}})(\.[0-9]{{1,{DECIMAL_PLACES}}})?")
# more digits than the sum of any number of events that a disk can hold
EXACT = Context(prec=80)


def plain(quantity: Decimal) -> str:
    """Return a quantity as text, without exponent and trailing zeros: `1.5` for 1.50."""
    text = f"{quantity:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
