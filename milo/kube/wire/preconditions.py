"""Preconditions of writes: https://www.rfc-editor.org/rfc/rfc9110#name-preconditions

An ETag consists of the revision of the object and a digest of one representation. Writes compare the revision only,
because a write replaces the object whichever representation the client has read.
"""

import re
from collections.abc import Collection, Mapping

from django.utils.translation import gettext as _

from milo.errors import Refused
from milo.kube.wire.status import PreconditionFailed

IF_MATCH, IF_NONE_MATCH = HEADERS = ("If-Match", "If-None-Match")
_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"\s*(?:\*|{_ENTITY_TAG}(?:\s*,\s*{_ENTITY_TAG})*)\s*")
_REVISION = re.compile(r'"([0-9]{1,18})(?:-[0-9a-f]+(?:-gzip)?)?"')


def expected_version(headers: Mapping[str, str], version: int | None) -> int | None:
    """Return the revision that If-Match requires; None without If-Match.

    `version` is the revision of the object; None if there is no object. If-Match compares strongly: a weak tag
    (`W/"..."`) never matches. If-None-Match compares weakly. Raises `PreconditionFailed` if a condition fails or a
    header is neither `*` nor a list of quoted entity tags.
    """
    matched, unmatched = (_tags(headers, name) for name in HEADERS)
    if matched is not None and not _any_is(version, matched):
        raise PreconditionFailed(_("the object has been modified since the revision that If-Match names (strongly)"))
    if unmatched is not None and _any_is(version, [tag.removeprefix("W/") for tag in unmatched]):
        raise PreconditionFailed(_("the object is there already, which If-None-Match rules out"))
    return None if matched is None else version


def refuse(headers: Mapping[str, str], honoured: Collection[str] = ()) -> None:
    """Raise `Refused` (BadRequest) for a precondition header of a POST that the view would ignore.

    `honoured` are the headers that the view evaluates.
    """
    for name in HEADERS:
        if name in headers and name not in honoured:
            message = _("%(header)s is not for this POST, which has no revision to compare it with")
            raise Refused(message % {"header": name})


def _tags(headers: Mapping[str, str], name: str) -> list[str] | None:
    value = headers.get(name)
    if value is None:
        return None
    if not _LIST.fullmatch(value):
        message = _("%(header)s must be * or an ETag as it came with the object, in double quotes")
        raise PreconditionFailed(message % {"header": name})
    return ["*"] if value.strip() == "*" else re.findall(_ENTITY_TAG, value)


def _any_is(version: int | None, tags: list[str]) -> bool:
    if version is None:
        return False
    matches = (_REVISION.fullmatch(tag) for tag in tags)
    return "*" in tags or any(match is not None and int(match[1]) == version for match in matches)
