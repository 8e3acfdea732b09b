"""Reasons of changes as people read them: by their labels, with the code as title. Applications register theirs."""

import re
from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from milo.admin.wording import fields_in_words, words

_CODE = re.compile(r"\b(?:[A-Z][a-z0-9]+){2,}\b")
_labels: dict[str, str | Promise] = {
    "Baseline": gettext_lazy("First entry of this history"),
    "GroupDeleted": gettext_lazy("Platform role deleted"),
    "IdentityFirstSeen": gettext_lazy("Identity linked at the first log-in"),
    "IdentityLinked": gettext_lazy("Identity linked"),
    "IdentityUnlinked": gettext_lazy("Identity unlinked"),
    "ListExported": gettext_lazy("List exported"),
    "PasswordLinkRequested": gettext_lazy("Password link requested"),
    "PasswordLinkUsed": gettext_lazy("Password link used"),
    "PasswordRehashed": gettext_lazy("Password stored with a stronger digest"),
    "PasswordSet": gettext_lazy("Password set"),
    "PermissionGranted": gettext_lazy("Permission granted"),
    "PermissionOfRoleGranted": gettext_lazy("Permission given to a platform role"),
    "PermissionOfRoleRevoked": gettext_lazy("Permission taken from a platform role"),
    "PermissionRevoked": gettext_lazy("Permission revoked"),
    "PersonFirstSeen": gettext_lazy("User created at the first log-in"),
    "PersonalDataRevealed": gettext_lazy("Personal data revealed"),
    "PersonalDataSearched": gettext_lazy("Found by personal data"),
    "PlatformRoleCreated": gettext_lazy("Platform role created"),
    "PlatformRoleGranted": gettext_lazy("Platform role granted"),
    "PlatformRoleRenamed": gettext_lazy("Platform role renamed"),
    "PlatformRoleRevoked": gettext_lazy("Platform role revoked"),
    "SecondFactorChanged": gettext_lazy("Second factor changed"),
    "SecondFactorReset": gettext_lazy("Second factor reset"),
    "SecondFactorSetUp": gettext_lazy("Second factor set up"),
    "ServiceTokenIssued": gettext_lazy("Service token issued"),
    "ServiceTokenRevoked": gettext_lazy("Service token revoked"),
    "ServiceUserCreated": gettext_lazy("Service user created"),
    "StaffGranted": gettext_lazy("Admitted to the staff site"),
    "StaffRevoked": gettext_lazy("Banned from the staff site"),
    "SuperuserGranted": gettext_lazy("Made a superuser"),
    "SuperuserRevoked": gettext_lazy("No longer a superuser"),
    "TOTPDeviceDeleted": gettext_lazy("Second factor deleted"),
    "UserActivated": gettext_lazy("User activated"),
    "UserChanged": gettext_lazy("User changed"),
    "UserCreated": gettext_lazy("User created"),
    "UserDeactivated": gettext_lazy("User deactivated"),
    "UserDeleted": gettext_lazy("User deleted"),
}
IN_ADMIN_LOG = ("ListExported", "PersonalDataRevealed", "PersonalDataSearched")
"""Those of acts that change nothing: they are in the admin log, and in no history."""
_messages: dict[str, str | Promise] = {}


def register(labels: Mapping[str, str | Promise], *, messages: Mapping[str, str | Promise]) -> None:
    """Register the labels of reasons; `messages` are those of other codes, which stand in messages of changes."""
    _labels.update(labels)
    _messages.update(messages)


def choices(*, in_admin_log: bool = False) -> list[tuple[str, str]]:
    """Return every registered reason of histories, or of the admin log, with its label, sorted by label."""
    kept = [(code, str(label)) for code, label in _labels.items() if (code in IN_ADMIN_LOG) == in_admin_log]
    return sorted(kept, key=lambda choice: choice[1])


def reason_text(code: str) -> str:
    """Return the label of a reason. One that is no longer registered is split into its words."""
    label = _labels.get(code) or _messages.get(code)
    return str(label) if label else words(code) if _CODE.fullmatch(code) else code


def coded(code: str, label: str) -> SafeString | str:
    """Return the label of a code with the code as its title, which exports write instead."""
    return label if label == code else format_html('<data value="{0}" title="{0}">{1}</data>', code, label)


def reason(code: str) -> SafeString | str:
    """Return the label of a reason with the code as its title; a dash for none."""
    return coded(code, reason_text(code)) if code else "-"


def is_code(text: str) -> bool:
    """Return whether a text is a registered code that is no plain word."""
    return (text in _labels or text in _messages) and bool(_CODE.fullmatch(text))


def message_text(message: str) -> str:
    """Return the message of a change, fields and codes in it by their labels; a plain word is one only at its head."""
    head, colon, rest = message.partition(": ")
    if head in _messages:
        return f"{_messages[head]}{colon}{message_text(rest)}"
    return _CODE.sub(lambda code: str(_messages.get(code[0], code[0])), fields_in_words(message))
