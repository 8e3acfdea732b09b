"""Names of countries and currencies in the person's language, from Unicode CLDR by way of Babel."""

import unicodedata
from functools import cache

from babel import Locale
from django.utils.translation import get_language
from iso4217 import Currency

from billing.compliance.jurisdictions import COUNTRIES
from billing.currencies import ALLOWED

Choice = tuple[str, str]


def country_name(code: str) -> str:
    """Return the name of a country with its ISO 3166 code, such as `Germany (DE)`; an unknown code as it is."""
    name = _locale(_language()).territories.get(code)
    return f"{name} ({code})" if name else code


def country_choices() -> list[Choice]:
    """Return the code and the name of each country, sorted by name."""
    return list(_countries(_language()))


def currency_choices() -> list[Choice]:
    """Return the code of each allowed currency and a label with its name, such as `EUR - Euro`, sorted by code."""
    return list(_currencies(_language()))


def _language() -> str:
    return get_language() or "en"


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")


@cache
def _countries(language: str) -> tuple[Choice, ...]:
    names = [(code, country_name(code)) for code in COUNTRIES]
    return tuple(sorted(names, key=lambda choice: _collated(choice[1])))


@cache
def _currencies(language: str) -> tuple[Choice, ...]:
    names = _locale(language).currencies
    # a currency that is younger than the release of CLDR has its English name
    return tuple((code, f"{code} - {names.get(code) or Currency(code).currency_name}") for code in sorted(ALLOWED))


def _collated(name: str) -> str:
    """Return a name as it is sorted: without accents and regardless of case, so that Ägypten stands before Albanien."""
    letters = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()
