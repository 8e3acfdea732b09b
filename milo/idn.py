"""Internationalized domain names by IDNA 2008 (RFC 5891), where `straße` and `strasse` are different domains."""

import idna


def to_ascii(domain: str) -> str:
    """Return `domain` in its ASCII form: "straße.example" becomes "xn--strae-oqa.example".

    Letters are mapped as in browsers (UTS 46, nontransitional). ASCII domains are returned unchanged. Raises ValueError
    for domains that IDNA 2008 refuses, for example with a symbol, and for invalid "xn--" labels.
    """
    if domain.isascii():
        for label in domain.lower().split("."):
            if label.startswith("xn--"):
                idna.ulabel(label)
        return domain
    return idna.encode(domain, uts46=True).decode()
