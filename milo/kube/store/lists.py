"""Pages of a list, each as of the revision at which the list began."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import Q
from django.utils.translation import gettext as _

from milo import continue_tokens
from milo.kube.kinds import Kind
from milo.kube.models import ResourceQuerySet
from milo.kube.store import changes
from milo.kube.store.manifests import render
from milo.kube.store.selectors import Selection
from milo.kube.wire.status import Expired

MAX_LIMIT = 5000


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next page begins: after `key` (empty: at the beginning), as of `version`.

    `live` pages show what no revision says yet, where the object has not changed since `version`.
    """

    version: int
    key: tuple[Any, ...] = ()
    live: bool = False

    def token(self, kind: Kind) -> str:
        return continue_tokens.seal([self.version, self.live, *self.key], f"list {kind.resource}")

    @classmethod
    def of_token(cls, token: str, kind: Kind) -> "Position":
        """Raises `Malformed` or `Unreadable` for a token that was not given out for a list of `kind`."""
        version, live, *key = continue_tokens.unseal(token, f"list {kind.resource}")
        return cls(version, tuple(key), live)


def _key_columns(kind: Kind) -> tuple[str, ...]:
    return (f"{kind.organization_path}_id", "name") if kind.namespaced else ("name",)


def _after(columns: tuple[str, ...], key: tuple[Any, ...]) -> Q:
    if len(columns) == 1:
        return Q((f"{columns[0]}__gt", key[0]))
    first, second = columns
    # the first bound alone lets the index of both columns serve
    return Q((f"{first}__gte", key[0])) & (Q((f"{first}__gt", key[0])) | Q((f"{second}__gt", key[1])))


def page(
    kind: Kind,
    rows: ResourceQuerySet[Any],
    selection: Selection,
    *,
    limit: int = 0,
    token: str = "",
    at: int = 0,
    raw: bool = False,
) -> tuple[list[Any], dict[str, Any]]:
    """Manifests and list metadata: at most `limit` (0, or more than 5,000, is 5,000) of `rows`, in the order of names.

    With `raw`, what is only to be sent on stays JSON text (`orjson.Fragment`). With `token`, what has changed since
    the list began is shown as it was then; with `at`, everything is shown as it was at that revision. Raises `Expired`
    where the change log no longer reaches back to that, `Malformed` or `Unreadable` for a token that is none.
    """
    columns = _key_columns(kind)
    limit = min(limit or MAX_LIMIT, MAX_LIMIT)
    position = Position.of_token(token, kind) if token else Position(at) if at else None
    # read before the rows, so that a watch from here on misses nothing
    version = position.version if position else changes.current_version()
    rows = rows.prefetch_related(None).with_revision()
    chosen: Any = selection.apply(rows)
    if position:
        chosen = chosen | rows.filter(resource_version__gt=version)
        chosen = chosen.filter(_after(columns, position.key)) if position.key else chosen
    chosen = chosen.order_by(*columns).with_manifest(position and position.version)
    found = list(chosen.values_list("pk", "resource_version", "manifest", *columns)[: limit + 1])
    if position:
        _expect_kept(kind, position)
    is_live = kind.live and (position is None or position.live)
    metadata = {"resourceVersion": str(version)}
    if len(found) > limit:
        found.pop()
        metadata["continue"] = Position(version, tuple(found[-1][3:]), is_live).token(kind)
    live = _live(kind, found, position) if is_live else {}
    manifests = []
    for pk, number, text, *_key in found:
        if position and number > version and not (text and selection.matches(orjson.loads(text))):
            continue  # when the list began it was not yet there, or not selected
        manifests.append(live.get((pk, number)) or (orjson.Fragment(text) if raw else orjson.loads(text)))
    return manifests, metadata


def _expect_kept(kind: Kind, position: Position) -> None:
    """Raise `Expired` where revisions at `position` may have been compacted.

    Asked after the rows were read: a compaction says so before it deletes.
    """
    if position.version >= changes.oldest_version():
        return
    if not position.key:
        raise Expired(_("the resourceVersion for the provided list is too old"))
    onward = Position(changes.current_version(), position.key, kind.live)
    message = _(
        "the continue token is too old for a consistent list; start the list again, or go on with metadata.continue of"
        " this answer, by which what was changed meanwhile is shown as it is now"
    )
    raise Expired(message, onward.token(kind))


def _live(kind: Kind, found: list[Any], position: Position | None) -> dict[tuple[Any, int], dict[str, Any]]:
    """The manifests of what has not moved on since the list began, by key and number, rendered from the rows."""
    unmoved = [pk for pk, number, *_rest in found if position is None or number <= position.version]
    rows = kind.queryset().with_revision().in_bulk(unmoved)
    return {(pk, row.resource_version): render(kind, row) for pk, row in rows.items()}
