"""The revision that a list shows: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions"""

from django.utils.translation import gettext as _

from milo.errors import Cause, Invalid, Refused
from milo.kube.store import changes
from milo.kube.wire.parameters import EXACT, MAX_VERSION, NOT_OLDER_THAN, Parameters
from milo.kube.wire.status import TooLargeResourceVersion


def version_to_show(parameters: Parameters) -> int:
    """Return the revision that a list shows; 0 for the current state.

    A revision is selected by `resourceVersionMatch=Exact`, or by a resourceVersion with a limit, as in Kubernetes.
    Raises `Invalid` for meaningless combinations and `TooLargeResourceVersion` for a future revision.
    """
    _check_list(parameters)
    version, match = parameters.number("resourceVersion", MAX_VERSION), parameters.match
    expect_reached(parameters)
    exact = match == EXACT or (not match and parameters.number("limit", 1))
    return version if exact else 0


def expect_reached(parameters: Parameters) -> None:
    """Raise `TooLargeResourceVersion` if resourceVersion is greater than the newest revision."""
    version = parameters.number("resourceVersion", MAX_VERSION)
    if version and version > (current := changes.current_version()):
        raise TooLargeResourceVersion(version, current)


def _check_list(parameters: Parameters) -> None:
    match, version = parameters.match, parameters.text("resourceVersion")
    token = parameters.text("continue")
    causes = []
    if match and not version:
        causes.append(_forbidden("resourceVersionMatch", _("is forbidden unless resourceVersion is provided")))
    if match and token:
        causes.append(_forbidden("resourceVersionMatch", _("is forbidden when continue is provided")))
    if match == EXACT and version == "0":
        causes.append(_forbidden("resourceVersionMatch", _("Exact is forbidden for resourceVersion 0")))
    if parameters.flag("sendInitialEvents"):
        causes.append(_forbidden("sendInitialEvents", _("is forbidden for list")))
    if causes:
        raise Invalid.because(causes)
    if token and version not in ("", "0"):
        raise Refused(_("specifying resource version is not allowed when using continue"))


def check_watch(parameters: Parameters) -> None:
    """Raise `Invalid` if resourceVersionMatch and sendInitialEvents are not valid together in a watch.

    Raises `TooLargeResourceVersion` if a watch with initial events names a future revision.
    """
    match, initial = parameters.match, parameters.flag("sendInitialEvents")
    if initial and match != NOT_OLDER_THAN:
        message = _("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        raise Invalid.because([_forbidden("resourceVersionMatch", message)])
    if match and not initial:
        message = _("is forbidden for watch unless sendInitialEvents is provided")
        raise Invalid.because([_forbidden("resourceVersionMatch", message)])
    if initial:
        expect_reached(parameters)


def _forbidden(field: str, message: str) -> Cause:
    return Cause(field, message, "FieldValueForbidden")
