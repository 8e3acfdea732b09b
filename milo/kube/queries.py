"""Query parameters of read subresources and actions: checked as strictly as bodies.

Kubernetes ignores unknown parameters of its own operations; these operations are ours.
"""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers

from milo.card_numbers import excerpt
from milo.errors import Cause, Invalid
from milo.kube.fields import NamesField
from milo.kube.store import validation

_SHOWN = 80
# client-go sends these by itself: https://pkg.go.dev/k8s.io/client-go/rest#Request
ALWAYS = frozenset({"pretty", "timeout"})
ACTION_PARAMETERS = frozenset({"dryRun", "fieldManager", "fieldValidation", "includeObject", "pretty", "timeout"})


def read(serializer: type[serializers.Serializer[Any]], sent: QueryDict) -> dict[str, Any]:
    """Validate a query with `serializer` and return the parameters.

    Raises `Invalid` with a cause for each parameter that is unknown, repeated (a `NamesField` may be) or invalid.
    """
    fields = _fields(serializer)
    data: dict[str, Any] = {}
    causes = list(_unknown(sent, fields.keys()))
    for name in sent.keys() & fields.keys():
        values = sent.getlist(name)
        if isinstance(fields[name], NamesField):
            data[name] = values
        elif len(values) == 1:
            data[name] = values[0]
        else:
            data[name] = values[-1]
            causes.append(Cause(f"query.{name}", _("is given %(count)d times: give it once") % {"count": len(values)}))
    try:
        parameters = validation.validate(serializer, data, "query")
    except Invalid as invalid:
        repeated = {cause.field for cause in causes}
        causes += [cause for cause in invalid.causes if cause.field not in repeated]
    if causes:
        raise Invalid.because(causes)
    return parameters


def check_names(sent: QueryDict, known: Collection[str]) -> None:
    """Raise `Invalid` for parameters that are not in `known`: a misspelt dryRun must not write."""
    if causes := list(_unknown(sent, known)):
        raise Invalid.because(causes)


def _unknown(sent: QueryDict, known: Collection[str]) -> Iterator[Cause]:
    names = ", ".join(sorted(set(known) - ALWAYS))
    message = _("is unknown; known here: %(known)s") % {"known": names or _("none")}
    for name in sent:
        if name not in known and name not in ALWAYS:
            yield Cause(f"query.{excerpt(name, _SHOWN)}", message, "FieldValueNotSupported")


@cache
def _fields(serializer: type[serializers.Serializer[Any]]) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    return dict(serializer().fields)
