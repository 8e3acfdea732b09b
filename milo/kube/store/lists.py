"""Pages of a list, all as of the revision at which the list began."""

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
    """The start of a page: after `key` (empty: the first page), as of the revision `version`.

    `live`: render objects that are unchanged since `version` from their rows (see `Kind.live`).
    """

    version: int
    key: tuple[Any, ...] = ()
    live: bool = False

    def token(self, kind: Kind) -> str:
        return continue_tokens.seal([self.version, self.live, *self.key], f"list {kind.resource}")

    @classmethod
    def of_token(cls, token: str, kind: Kind) -> "Position":
        """Decode a continue token. Raises `Malformed` or `Unreadable` if it was not issued for a list of `kind`."""
        version, live, *key = continue_tokens.unseal(token, f"list {kind.resource}")
        return cls(version, tuple(key), live)


def _key_columns(kind: Kind) -> tuple[str, ...]:
    return (f"{kind.organization_path}_id", "name") if kind.namespaced else ("name",)


def _after(columns: tuple[str, ...], key: tuple[Any, ...]) -> Q:
    if len(columns) == 1:
        return Q((f"{columns[0]}__gt", key[0]))
    first, second = columns
    # the bound on the first column lets the planner use the index on both
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
    """Return (manifests, list metadata) of at most `limit` of `rows`, ordered by name. `limit` 0 means 5,000, the most.

    `token` continues a list: objects that changed since it began are shown as they were then. `at` shows all objects as
    of that revision. `raw` leaves manifests as JSON text (`orjson.Fragment`) where possible. Raises `Expired` if the
    change log no longer reaches back that far, and `Malformed` or `Unreadable` for an invalid token.

    The rows hold the current labels and fields only. So pages of an older revision fetch the rows that are selected now
    together with all rows changed since, and the selection is then checked against the manifest of that time.
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
    listed = list(chosen.values_list("pk", "resource_version", "manifest", *columns)[: limit + 1])
    if position:
        _expect_kept(kind, position)
    is_live = kind.live and (position is None or position.live)
    metadata = {"resourceVersion": str(version)}
    if len(listed) > limit:
        listed.pop()
        metadata["continue"] = Position(version, tuple(listed[-1][3:]), is_live).token(kind)
    live = _live(kind, listed, position) if is_live else {}
    manifests = []
    for pk, number, text, *_key in listed:
        if position and number > version and not (text and selection.matches(orjson.loads(text))):
            continue  # did not exist, or was not selected, when the list began
        manifests.append(live.get((pk, number)) or (orjson.Fragment(text) if raw else orjson.loads(text)))
    return manifests, metadata


def _expect_kept(kind: Kind, position: Position) -> None:
    """Raise `Expired` if revisions at `position` may have been compacted.

    Call it after reading the rows: compaction moves its watermark before it deletes.
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


def _live(kind: Kind, listed: list[Any], position: Position | None) -> dict[tuple[Any, int], dict[str, Any]]:
    """Render the objects that are unchanged since the list began. Returns manifests by primary key and revision."""
    unchanged = [pk for pk, number, *_rest in listed if position is None or number <= position.version]
    rows = kind.queryset().with_revision().in_bulk(unchanged)
    return {(pk, row.resource_version): render(kind, row) for pk, row in rows.items()}
