"""Internationalized domain names after IDNA 2008 (RFC 5891), not 2003: `straße` is a domain other than `strasse`."""

import idna


def to_ascii(domain: str) -> str:
    """Return `domain` as the DNS has it: "straße.example" is "xn--strae-oqa.example".

    Letters are mapped as browsers do (UTS 46, nontransitional). Raises ValueError for what IDNA 2008 refuses, for
    example a symbol, or an "xn--" label that stands for no domain name. Other ASCII domains come back unchanged.
    """
    if domain.isascii():
        for label in domain.lower().split("."):
            if label.startswith("xn--"):
                idna.ulabel(label)
        return domain
    return idna.encode(domain, uts46=True).decode()
