"""Merge patch, strategic merge patch and JSON patch of manifests. The target is never modified.

Targets and patches are JSON values of bounded size and depth, as `milo.kube.wire.decoding.parse` returns them. Call
`check_bounds` on the result, which may be larger than either.
"""

from copy import deepcopy
from typing import Any

import orjson
from django.utils.translation import gettext as _
from jsonpatch import InvalidJsonPatch, JsonPatch, JsonPatchException
from jsonpointer import JsonPointer, JsonPointerException

from milo.card_numbers import excerpt
from milo.errors import Cause, Invalid, Refused
from milo.kube.wire import decoding
from milo.kube.wire.status import UnsupportedMediaType

OPERATIONS_LIMIT = 1000
SIZE_LIMIT = 1024 * 1024


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386): objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge_patch(target: Any, patch: Any) -> Any:
    """Apply a strategic merge patch. All lists of our kinds are atomic, so it equals a merge patch.

    Raises `UnsupportedMediaType` for directives (`$patch`, `$setElementOrder/...`), which concern merged lists.
    """
    if directive := _directive(patch):
        message = _("strategic merge patch directive %(directive)s is not supported; lists are replaced whole")
        raise UnsupportedMediaType(message % {"directive": excerpt(directive, 80)})
    return merge_patch(target, patch)


def _directive(value: Any) -> str:
    """Return the first key that begins with `$`, at any depth; "" if there is none."""
    if isinstance(value, dict):
        own = next((key for key in value if key.startswith("$")), "")
        return own or next(filter(None, map(_directive, value.values())), "")
    return next(filter(None, map(_directive, value)), "") if isinstance(value, list) else ""


def json_patch(target: Any, operations: Any) -> Any:
    """Apply a JSON patch (RFC 6902): all operations or none.

    Raises `Refused` (BadRequest) for a malformed patch or more than `OPERATIONS_LIMIT` operations. Raises `Invalid` if
    a `test` fails, a path does not exist or is nested deeper than 32, or copies make the result too large.
    """
    if isinstance(operations, list) and len(operations) > OPERATIONS_LIMIT:
        raise Refused(_("a JSON patch may have at most %(limit)s operations") % {"limit": OPERATIONS_LIMIT})
    try:
        JsonPatch(operations)
    except (JsonPatchException, JsonPointerException) as error:
        raise Refused(_("the JSON patch is malformed: %(why)s") % {"why": excerpt(str(error), 200)}) from error
    result = deepcopy(target)
    for operation in operations:
        result = _operate(result, operation)
    return result


def check_bounds(result: Any) -> None:
    """Raise `Invalid` if a patched object exceeds the limits of a body: 32 levels, `SIZE_LIMIT` bytes."""
    try:
        decoding.check_bounds(result)
    except Refused as error:
        raise Invalid.because([Cause("patch", error.message)]) from error
    if _size(result) > SIZE_LIMIT:
        raise Invalid.because([Cause("patch", _("the patch makes the object too large"))])


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    if len(JsonPointer(operation["path"]).parts) > decoding.MAX_DEPTH:
        raise _invalid(operation, _("the patch nests the object too deeply"))
    try:
        result = JsonPatch([operation]).apply(document, in_place=True)
    except RecursionError as error:
        raise _invalid(operation, _("the patch nests the object too deeply")) from error
    except InvalidJsonPatch as error:
        raise Refused(_("the JSON patch is malformed: %(why)s") % {"why": excerpt(str(error), 200)}) from error
    except (JsonPatchException, JsonPointerException) as error:
        message = _("the JSON patch cannot be applied: %(op)s %(path)s failed")
        raise _invalid(operation, message % {"op": operation["op"], "path": excerpt(operation["path"], 200)}) from error
    # checked after each operation: a copy can double the size, so a short patch could exhaust memory; moves can nest
    if operation["op"] in ("copy", "move") and _size(result) > SIZE_LIMIT:
        raise _invalid(operation, _("the patch makes the object too large"))
    return result


def _invalid(operation: dict[str, Any], message: str) -> Invalid:
    """Return the refusal of one operation, with its path as the field."""
    field = ".".join(JsonPointer(operation["path"]).parts)
    return Invalid.because([Cause(excerpt(field, 200) or "patch", message)])


def _size(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:  # nested too deeply
        return SIZE_LIMIT + 1
