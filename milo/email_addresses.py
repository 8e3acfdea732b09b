"""Validate e-mail addresses, and convert them to the form in which mail is sent."""

import re
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from milo import idn
from milo.errors import Cause

LIMIT = 50
_LOCAL, _DOMAIN = r"(?:\"[^\"\n]*\"|[^\s@<>\"()\[\],;:/]+)", r"[^\s@<>\"'(){}\[\],;:=/.&]+"
# with a dot in the domain, which the name of a worker (`celery@host`) need not have
IN_TEXT = re.compile(rf"{_LOCAL}@(?:{_DOMAIN}(?:\.{_DOMAIN})+|\[[^\]\s]*\])")
"""What looks like an address in a text."""
_QUOTED = re.compile(r"""( of| in)? (['"]).*\2""", re.DOTALL)
MAX_LENGTH = 254  # RFC 5321, section 4.5.3.1.3: a path of 256 octets, with its brackets


def to_ascii(address: str) -> str:
    """Return `address` with its domain in ASCII form (IDNA 2008), for envelope and header.

    Raises ValueError, with a text for people, for an address that `fault` refuses.
    """
    if len(address) > MAX_LENGTH:
        raise ValueError(_("may have at most %(limit)d characters") % {"limit": MAX_LENGTH})
    local, _at, domain = address.rpartition("@")
    if not local.isascii():
        raise ValueError(_("may have ASCII letters only before the @: mail to others (SMTPUTF8) is not sent"))
    try:
        sent = f"{local}@{idn.to_ascii(domain)}"
    except ValueError as error:
        # the message must not repeat a card number that was typed in the wrong field
        why = _QUOTED.sub("", str(error))
        raise ValueError(_("has a domain that IDNA 2008 refuses: %(why)s") % {"why": why}) from error
    try:
        validate_email(sent)
    except ValidationError as error:
        raise ValueError(_("is not an e-mail address")) from error
    if len(sent) > MAX_LENGTH:
        raise ValueError(_("may have at most %(limit)d characters") % {"limit": MAX_LENGTH})
    return sent


def fault(address: str) -> str:
    """Return why mail cannot be sent to `address`; empty if it can.

    Faults are more than 254 characters, non-ASCII letters before the @, domains that IDNA 2008 refuses, and texts that
    are not an address.
    """
    try:
        to_ascii(address)
    except ValueError as error:
        return str(error)
    return ""


def causes(addresses: Sequence[str], field: str) -> list[Cause]:
    """Return every fault of `addresses`: more than 50, one that `fault` refuses, a duplicate."""
    if len(addresses) > LIMIT:
        return [Cause(field, _("may hold at most %(limit)d addresses") % {"limit": LIMIT}, "FieldValueTooMany")]
    found = []
    for index, address in enumerate(addresses):
        if why := fault(address):
            found.append(Cause(f"{field}[{index}]", why))
        if address in addresses[:index]:
            found.append(Cause(f"{field}[{index}]", _("is named twice"), "FieldValueDuplicate"))
    return found
