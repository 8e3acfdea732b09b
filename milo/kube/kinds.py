"""What the library must know of a kind, and the kinds it has been told of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import models
from django.utils.functional import Promise, cached_property

from milo.access import Actor
from milo.compiled_queries import CompiledQuery, Param
from milo.kube.metadata import Metadata
from milo.kube.models import ResourceQuerySet

FieldColumn = str | Callable[[str], models.Q]
"""How a selectable field is found in SQL: the ORM path of its text, or a function that makes a condition of a value.

The function gets the empty text for objects that lack the field.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`: `cell` takes the manifest. `wide` ones show with `-o wide` only."""

    name: str
    cell: Callable[[dict[str, Any]], Any]
    description: str = ""
    type: str = "string"
    format: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A POST subresource: `serializer` reads `spec` of the body, `call(row, spec, *, actor)` is one service act.

    `example` is a spec that shows it in the documents.
    """

    name: str
    call: Callable[..., Any]
    serializer: Any
    description: str | Promise = ""
    example: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class ReadSubresource:
    """A GET subresource: `parameters` reads the query, `call(row, query, *, actor)` returns the JSON answer.

    `example` is an answer that shows it in the documents. Whoever may get the object may read it, unless `verb` names
    another verb or `act` the act whose right it takes. `table` gives the rows of the answer for a Table and for CSV,
    names of the columns first; without it there is a row for each of `items`, in the columns of the `response`.
    """

    name: str
    call: Callable[..., dict[str, Any]]
    parameters: Any
    response: Any
    description: str | Promise = ""
    example: Mapping[str, Any] = field(default_factory=dict, compare=False)
    act: str = ""
    verb: str = "get"
    table: Callable[[dict[str, Any]], Iterable[Sequence[Any]]] | None = None

    def whole(self, row: Any, query: Mapping[str, Any], *, actor: Actor) -> dict[str, Any]:
        """Return the answer with the items of every page, for a file: whoever opens it sees no `metadata.continue`."""
        asked = {name: value for name, value in query.items() if name != "limit"}
        answer = page = self.call(row, asked, actor=actor)
        while following := page.get("metadata", {}).get("continue"):
            page = self.call(row, {**asked, "continue": following}, actor=actor)
            answer["items"] += page["items"]
        answer.pop("metadata", None)
        return answer


@dataclass(frozen=True, slots=True)
class ObjectInput:
    """The writable part of a manifest, validated: `spec` is what the kind's spec serializer returned.

    `organization_id` is that of the namespace, None for cluster-scoped kinds.
    """

    name: str
    organization_id: int | None
    metadata: Metadata
    spec: dict[str, Any]


class Kind:
    """Subclass this and `register` it. The library does the rest: routes, discovery, tables, patches, watch."""

    group: ClassVar[str]
    version: ClassVar[str] = "v1alpha1"
    kind: ClassVar[str]
    plural: ClassVar[str]
    singular: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]] = ()
    namespaced: ClassVar[bool] = True
    verbs: ClassVar[tuple[str, ...]] = ("get", "list", "watch", "create", "update", "patch")
    description: ClassVar[str | Promise] = ""
    undeletable: ClassVar[str | Promise]
    """What to do instead of DELETE: nothing that the ledger names is ever deleted."""
    fixed_spec: ClassVar[bool] = False
    renamed: ClassVar[Mapping[str, str]] = {}
    """Fields of the spec that were called otherwise, by their old names: who sends one is told the new one."""
    """Whether the spec stays for ever as it was created; labels and the like may change."""
    is_namespace: ClassVar[bool] = False
    """Whether an object of this kind is also shown as the namespace of its name."""
    namespace_description: ClassVar[str | Promise] = ""
    """What a namespace is said to be, where objects of this kind are shown as such."""

    live: ClassVar[bool] = False
    """Whether a read shows at once what no revision says yet: rendered from the rows each time, not from the log."""

    model: ClassVar[type[models.Model]]
    organization_path: ClassVar[str] = "organization"
    """ORM path from a row to the organization that owns it; its name is the namespace."""
    spec_serializer: ClassVar[Any]
    status_serializer: ClassVar[Any]
    columns: ClassVar[tuple[Column, ...]] = ()
    field_selectors: ClassVar[Mapping[str, FieldColumn]] = {}
    actions: ClassVar[tuple[Action, ...]] = ()
    read_subresources: ClassVar[tuple[ReadSubresource, ...]] = ()
    example: ClassVar[Mapping[str, Any]] = {"metadata": {"name": "example"}}
    """A manifest that shows the kind in the documents: metadata.name, spec and status."""

    @property
    def resource(self) -> str:
        """`plural.group`, the name of the kind in the change log."""
        return f"{self.plural}.{self.group}"

    @property
    def categories(self) -> tuple[str, ...]:
        """For kubectl: `get milo` shows every kind, `get all` those that live in a namespace."""
        return ("milo", "all") if self.namespaced else ("milo",)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"

    def queryset(self) -> ResourceQuerySet[Any]:
        """Rows with all that `spec` and `status` read, in a constant number of queries."""
        raise NotImplementedError

    def organization(self, row: Any) -> Any:
        """The organization that owns a row."""
        return row.organization

    def namespace(self, row: Any) -> str:
        """The namespace of a row: its organization's name; empty for cluster-scoped kinds."""
        return self.organization(row).name if self.namespaced else ""

    @property
    def owner(self) -> str:
        """ORM path to the primary key of the organization that owns a row."""
        return "pk" if self.is_namespace else f"{self.organization_path}_id"

    def rows(self, keys: Sequence[int]) -> dict[int, Any]:
        """Rows of `queryset` by primary key; most acts change one or two of a kind, which is a compiled query."""
        if len(keys) > 2:
            return self.queryset().in_bulk(keys)
        return {row.pk: row for row in self._pair.fetch(one=keys[0], other=keys[-1])}

    @cached_property
    def _pair(self) -> "CompiledQuery[Any]":
        return CompiledQuery(lambda: self.queryset().filter(pk__in=[Param("one"), Param("other")]))

    @cached_property
    def row(self) -> "CompiledQuery[Any]":
        """The row of a `name`, and of a `namespace` where the kind has one, with its revision."""
        return CompiledQuery(lambda: self.queryset().with_revision().filter(**self._address))

    @cached_property
    def named(self) -> "CompiledQuery[Any]":
        """The owner and the manifest (text) of the object of a `name`, and of a `namespace` where the kind has one."""
        rows: Any = self.model._default_manager
        return CompiledQuery(lambda: rows.filter(**self._address).with_manifest().values_list(self.owner, "manifest"))

    @property
    def _address(self) -> dict[str, Param]:
        place = {f"{self.organization_path}__name": Param("namespace")} if self.namespaced else {}
        return {"name": Param("name"), **place}

    def spec(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def status(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def normalized(self, spec: dict[str, Any], row: Any | None) -> dict[str, Any]:
        """Return the `spec` of the manifest that is shown once a validated spec replaces that of `row` (None: creates).

        Values have the form in which they are stored: comparing what is sent with what is shown compares these.
        """
        raise NotImplementedError

    def create(self, body: ObjectInput, *, actor: Actor) -> Any:
        """Call the service that makes the object; returns the row."""
        raise NotImplementedError

    def lock(self, row: Any) -> None:
        """Lock what `update` locks first until the transaction ends: the row, unless another one guards it."""
        self.model._default_manager.locked().get(pk=row.pk)  # type: ignore[attr-defined]

    def update(self, row: Any, body: ObjectInput, *, actor: Actor, resource_version: int | None) -> Any:
        """Call the service that revises the object; it refuses a stale `resource_version` with `Conflict`."""
        raise NotImplementedError


_kinds: dict[str, Kind] = {}


def register(kind: type[Kind]) -> type[Kind]:
    """Class decorator: make a kind known to the library.

    An application extends a kind of another one by registering a subclass, which takes its place. Raises `ValueError`
    where the resource is that of a kind that this one does not extend.
    """
    instance = kind()
    present = _kinds.get(instance.resource)
    if present is not None and not isinstance(instance, type(present)):
        raise ValueError(f"{instance.resource} is already {type(present).__qualname__}")
    _kinds[instance.resource] = instance
    return kind


def all_kinds() -> list[Kind]:
    return list(_kinds.values())


def kind_named(resource: str) -> Kind:
    """The kind that the change log calls `resource` (`plural.group`)."""
    return _kinds[resource]


def namespace_kind() -> Kind:
    """The kind whose objects are the namespaces."""
    return next(kind for kind in _kinds.values() if kind.is_namespace)


def kind_of(model: type[models.Model]) -> Kind | None:
    """The kind that shows rows of `model`, if any."""
    return next((kind for kind in _kinds.values() if kind.model is model), None)
