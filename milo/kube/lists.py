"""Pages of a list, each as of the revision at which the list began."""

from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from milo.errors import Refused
from milo.kube import changes
from milo.kube.kinds import Kind
from milo.kube.manifests import render
from milo.kube.models import Change, ResourceQuerySet
from milo.kube.selectors import Selection
from milo.kube.status import Expired

MAX_LIMIT = 5000


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next page begins: after `key`, as of `version`."""

    version: int
    key: tuple[Any, ...]

    def token(self, kind: Kind) -> str:
        return signing.dumps([self.version, *self.key], salt=_salt(kind))

    @classmethod
    def of_token(cls, token: str, kind: Kind) -> "Position":
        """Raises `Refused` (BadRequest) for a token that was not given out for a list of `kind`."""
        try:
            version, *key = signing.loads(token, salt=_salt(kind))
        except signing.BadSignature as error:
            raise Refused(_("the continue token is not valid")) from error
        return cls(version, tuple(key))


def _salt(kind: Kind) -> str:
    return f"continue {kind.resource}"


def _key_columns(kind: Kind) -> tuple[str, ...]:
    return (f"{kind.organization_path}_id", "name") if kind.namespaced else ("name",)


def _after(columns: tuple[str, ...], key: tuple[Any, ...]) -> Q:
    if len(columns) == 1:
        return Q((f"{columns[0]}__gt", key[0]))
    first, second = columns
    # the first bound alone lets the index of both columns serve
    return Q((f"{first}__gte", key[0])) & (Q((f"{first}__gt", key[0])) | Q((f"{second}__gt", key[1])))


def page(
    kind: Kind, rows: ResourceQuerySet[Any], selection: Selection, *, limit: int = 0, token: str = ""
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Manifests and list metadata: at most `limit` (0, or more than 5,000, is 5,000) of `rows`, in the order of names.

    With `token`, what has changed since the list began is shown as it was then. Raises `Expired` where the change
    log no longer reaches back to that, `Refused` for a token that is none.
    """
    columns = _key_columns(kind)
    limit = min(limit or MAX_LIMIT, MAX_LIMIT)
    position = Position.of_token(token, kind) if token else None
    # read before the rows, so that a watch from here on misses nothing
    version = position.version if position else changes.current_version()
    rows = rows.with_revision()
    chosen = selection.apply(rows)
    if position:
        if position.version < changes.oldest_version():
            raise Expired(_("the continue token has expired; start the list again"))
        chosen = (chosen | rows.filter(resource_version__gt=version)).filter(_after(columns, position.key))
    found = list(chosen.order_by(*columns)[: limit + 1])
    metadata = {"resourceVersion": str(version)}
    if len(found) > limit:
        found.pop()
        last = found[-1]
        metadata["continue"] = Position(version, tuple(getattr(last, column) for column in columns)).token(kind)
    if position:
        return _as_of(kind, found, selection, version), metadata
    return [render(kind, row) for row in found], metadata


def _as_of(kind: Kind, rows: list[Any], selection: Selection, version: int) -> list[dict[str, Any]]:
    moved = [row.uid for row in rows if row.resource_version > version]
    then: dict[str, dict[str, Any]] = {}
    if moved:
        older = Change.objects.filter(uid__in=moved, resource_version__lte=version)
        newest = older.values("uid").annotate(newest=Max("resource_version")).values("newest")
        shown_then = Change.objects.filter(resource_version__in=newest).values_list("uid", "manifest")
        then = {str(uid): manifest for uid, manifest in shown_then}
    shown = (render(kind, row) if row.resource_version <= version else then.get(str(row.uid)) for row in rows)
    return [manifest for manifest in shown if manifest and selection.matches(manifest)]
