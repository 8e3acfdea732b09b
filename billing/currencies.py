"""The currencies of accounts: ISO 4217 without funds, metals and test codes (docs/compliance.md, "Currencies")."""

from iso4217 import Currency

REFUSED = frozenset(
    [
        "XAG",
        "XAU",
        "XPD",
        "XPT",
        "XBA",
        "XBB",
        "XBC",
        "XBD",
        "XDR",
        "XSU",
        "XUA",
        "XTS",
        "XXX",
        "BOV",
        "CHE",
        "CHW",
        "CLF",
        "COU",
        "MXV",
        "USN",
        "UYI",
        "UYW",
        "XAD",
    ]
)
ALLOWED = frozenset(currency.code for currency in Currency) - REFUSED
