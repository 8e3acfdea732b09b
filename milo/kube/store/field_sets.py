"""Sets of field paths in a manifest, and their encoding in `metadata.managedFields` (FieldsV1).

Only spec, labels, annotations, finalizers and owner references have owners. A list is one field, with two exceptions
as in Kubernetes, because several programs add to these lists: each finalizer is a field, and so is each owner reference
(by its uid). `keyed` converts the two lists to objects by key, `listed` converts them back.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

Path = tuple[str, ...]
Manifest = dict[str, Any]

FINALIZERS, OWNER_REFERENCES = ("metadata", "finalizers"), ("metadata", "ownerReferences")
_ROOTS = (("spec",), ("metadata", "labels"), ("metadata", "annotations"), FINALIZERS, OWNER_REFERENCES)


def keyed(manifest: Manifest) -> Manifest:
    """Return the manifest with finalizers and owner references as objects by key. Malformed lists stay lists."""
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return manifest
    items: dict[str, Any] = {}
    finalizers, references = metadata.get("finalizers"), metadata.get("ownerReferences")
    if isinstance(finalizers, list) and all(isinstance(name, str) for name in finalizers):
        items["finalizers"] = {name: name for name in finalizers}
    if isinstance(references, list) and all(_uid(reference) for reference in references):
        # in a list of one, because a list is one field and is replaced as a whole
        items["ownerReferences"] = {_uid(reference): [reference] for reference in references}
    return {**manifest, "metadata": {**metadata, **items}}


def listed(manifest: Manifest) -> Manifest:
    """Return a keyed manifest in its usual form. The inverse of `keyed`."""
    metadata = dict(manifest.get("metadata") or {})
    if isinstance(metadata.get("finalizers"), dict):
        metadata["finalizers"] = list(metadata["finalizers"])
    if isinstance(metadata.get("ownerReferences"), dict):
        metadata["ownerReferences"] = list(chain.from_iterable(metadata["ownerReferences"].values()))
    return {**manifest, "metadata": metadata}


def _uid(reference: Any) -> str:
    uid = reference.get("uid") if isinstance(reference, dict) else None
    return uid if isinstance(uid, str) else ""


def leaves(manifest: Manifest) -> Iterator[Path]:
    """Yield the paths of all scalars, lists and empty objects of a keyed manifest that can have owners."""
    for root in _ROOTS:
        value = value_at(manifest, root)
        if isinstance(value, dict):
            yield from _leaves_below(value, root)


def _leaves_below(value: dict[str, Any], path: Path) -> Iterator[Path]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from _leaves_below(item, (*path, key))
        else:
            yield (*path, key)


def value_at(manifest: Any, path: Path) -> Any:
    """Return the value at `path` of a keyed manifest; None if absent or empty, which the API does not distinguish."""
    for key in path:
        manifest = manifest.get(key) if isinstance(manifest, dict) else None
    return None if manifest in ("", [], {}) else manifest


def differing(paths: Iterable[Path], one: Manifest, other: Manifest) -> frozenset[Path]:
    """Return those of `paths` where two keyed manifests differ."""
    return frozenset(path for path in paths if value_at(one, path) != value_at(other, path))


def unowned(paths: Iterable[Path], owned: Iterable[frozenset[Path]]) -> list[Path]:
    """Return those of `paths` where nobody owns the field or one below it."""
    with_parents = {path[:length] for path in chain.from_iterable(owned) for length in range(1, len(path) + 1)}
    return [path for path in paths if path not in with_parents]


def without(manifest: Manifest, paths: Iterable[Path]) -> Manifest:
    """Return a keyed manifest without the fields at `paths`, and without objects that become empty by that."""
    return _without(manifest, _tree(paths))


def _without(value: Manifest, fields: dict[str, Any]) -> Manifest:
    result = {}
    for key, item in value.items():
        below = fields.get(key)
        if below is None:
            result[key] = item
        elif isinstance(item, dict) and item:
            if remaining := _without(item, below):
                result[key] = remaining
        elif below:
            result[key] = item
    return result


def _tree(paths: Iterable[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for key in path:
            node = node.setdefault(key, {})
    return tree


def encode(paths: Iterable[Path]) -> dict[str, Any]:
    """Return paths as FieldsV1, for example `{"f:spec": {"f:currencyCode": {}}}`."""
    return _encoded(_tree(paths), ())


def _encoded(tree: dict[str, Any], path: Path) -> dict[str, Any]:
    return {_element(key, path): _encoded(below, (*path, key)) for key, below in tree.items()}


def _element(key: str, within: Path) -> str:
    if within == FINALIZERS:
        return f"v:{json.dumps(key)}"
    if within == OWNER_REFERENCES:
        return f"k:{json.dumps({'uid': key}, separators=(',', ':'))}"
    return f"f:{key}"


def decode(fields: dict[str, Any], path: Path = ()) -> Iterator[Path]:
    """Yield the paths of FieldsV1 that can have owners. Raises `ValueError` for malformed FieldsV1."""
    for element, below in fields.items():
        if not isinstance(below, dict):
            raise ValueError(f"{element} has no set of fields below it")
        # "." means that the object itself is owned; here objects exist as long as they have fields
        if element == ".":
            continue
        inner = (*path, _key(element))
        if path != OWNER_REFERENCES and any(key != "." for key in below):
            yield from decode(below, inner)
        elif any(inner[: len(root)] == root and len(inner) > len(root) for root in _ROOTS):
            yield inner


def _key(element: str) -> str:
    form, _colon, rest = element.partition(":")
    if form == "f":
        return rest
    value = json.loads(rest)
    key = value.get("uid") if form == "k" and isinstance(value, dict) else value if form == "v" else None
    if not isinstance(key, str):
        raise ValueError(f"{element} names no field")
    return key


def readable(path: Path) -> str:
    """Return a path as kubectl prints it in a conflict: `.spec.currencyCode`, `.metadata.finalizers[="x"]`."""
    if path[:2] == FINALIZERS:
        return f".metadata.finalizers[={json.dumps(path[2])}]"
    if path[:2] == OWNER_REFERENCES:
        return f".metadata.ownerReferences[uid={json.dumps(path[2])}]"
    return "." + ".".join(path)
