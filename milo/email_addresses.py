"""Lists of e-mail addresses, as contacts of projects and accounts."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from milo.errors import Cause

LIMIT = 50


def causes(addresses: Sequence[str], field: str) -> list[Cause]:
    """Every fault of `addresses`: more than 50, not an address, named twice."""
    if len(addresses) > LIMIT:
        return [Cause(field, _("may hold at most %(limit)d addresses") % {"limit": LIMIT}, "FieldValueTooMany")]
    found = []
    for index, address in enumerate(addresses):
        try:
            validate_email(address)
        except ValidationError:
            found.append(Cause(f"{field}[{index}]", _("is not an e-mail address")))
        if address in addresses[:index]:
            found.append(Cause(f"{field}[{index}]", _("is named twice"), "FieldValueDuplicate"))
    return found
