"""The description of a kind, and the registry of kinds."""

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
"""How SQL selects by a field: the ORM path of a text column, or a function from a value to a `Q` condition.

The function gets "" to select objects that lack the field.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. `cell` takes a manifest and returns the value. `wide`: only with `-o wide`."""

    name: str
    cell: Callable[[dict[str, Any]], Any]
    description: str = ""
    type: str = "string"
    format: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """An action of an object: a POST subresource.

    `serializer` validates `spec` of the body. `call(row, spec, *, actor)` calls one service and returns the row.
    `example` is a spec for the documents.

    An action with a `response` changes nothing: it takes what must not be in an address, and `call` returns the JSON
    answer, of which `response_example` is one for the documents. `permission` is the action whose permission it
    requires, if not its own.
    """

    name: str
    call: Callable[..., Any]
    serializer: Any
    description: str | Promise = ""
    example: Mapping[str, Any] = field(default_factory=dict, compare=False)
    permission: str = ""
    response: Any = None
    response_example: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def required(self) -> str:
        """Return the action of the access table that it requires."""
        return self.permission or self.name


@dataclass(frozen=True, slots=True)
class ReadSubresource:
    """A read subresource: GET of something computed from an object.

    `parameters` validates the query. `call(row, query, *, actor)` returns the JSON answer. `example` is an answer for
    the documents. Reading requires the verb `verb`. `table` returns the rows of an answer for Table and CSV, column
    names first. Without `table`, each of `items` is a row, in the columns of `response`. Addresses are in the logs of
    proxies, so no parameter takes free text: see `Action.response`.
    """

    name: str
    call: Callable[..., dict[str, Any]]
    parameters: Any
    response: Any
    description: str | Promise = ""
    example: Mapping[str, Any] = field(default_factory=dict, compare=False)
    verb: str = "get"
    table: Callable[[dict[str, Any]], Iterable[Sequence[Any]]] | None = None

    def whole(self, row: Any, query: Mapping[str, Any], *, actor: Actor) -> dict[str, Any]:
        """Return the answer with the items of all pages. For CSV files, which cannot carry `metadata.continue`."""
        unlimited = {name: value for name, value in query.items() if name != "limit"}
        answer = page = self.call(row, unlimited, actor=actor)
        while token := page.get("metadata", {}).get("continue"):
            page = self.call(row, {**unlimited, "continue": token}, actor=actor)
            answer["items"] += page["items"]
        answer.pop("metadata", None)
        return answer


@dataclass(frozen=True, slots=True)
class ObjectInput:
    """The validated writable part of a manifest, as services take it.

    `spec` holds the `validated_data` of the kind's spec serializer. `organization_id` is the primary key of the
    namespace's organization; None for cluster-scoped kinds.
    """

    name: str
    organization_id: int | None
    metadata: Metadata
    spec: dict[str, Any]


class Kind:
    """A kind of the API. Subclass and `register` it to get routes, discovery, OpenAPI, tables, patches and watch."""

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
    """Message of the 405 for DELETE: what to do instead. Nothing in the ledger is ever deleted."""
    contended: ClassVar[str] = ""
    """Spec field that refers to the object which a create locks, whose creates milo/fairness.py bounds."""
    fixed_spec: ClassVar[bool] = False
    """Whether the spec is immutable after creation. Labels and other metadata may change."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """Old to new names of renamed spec fields. A manifest with an old name is refused with the new one."""
    is_namespace: ClassVar[bool] = False
    """Whether each object of this kind is also served as the core/v1 Namespace of its name."""
    namespace_description: ClassVar[str | Promise] = ""
    """Description of Namespace in the documents, where this kind provides the namespaces."""

    live: ClassVar[bool] = False
    """Whether reads render the rows each time. Otherwise they return the manifest of the newest revision.

    For a status that depends on rows of other models: their changes write its revision later, or never.
    """

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
    """A manifest for the documents: metadata.name, spec and status."""

    @property
    def resource(self) -> str:
        """Return `plural.group`, the identifier of the kind in the change log."""
        return f"{self.plural}.{self.group}"

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the kubectl categories: `milo` holds every kind, `all` the namespaced ones."""
        return ("milo", "all") if self.namespaced else ("milo",)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"

    def queryset(self) -> ResourceQuerySet[Any]:
        """Return rows with everything `spec` and `status` read, fetched in a constant number of queries."""
        raise NotImplementedError

    def organization(self, row: Any) -> Any:
        """Return the organization that owns a row."""
        return row.organization

    def namespace(self, row: Any) -> str:
        """Return the namespace of a row: the name of its organization; "" for cluster-scoped kinds."""
        return self.organization(row).name if self.namespaced else ""

    @property
    def owner(self) -> str:
        """Return the ORM path to the primary key of the organization that owns a row."""
        return "pk" if self.is_namespace else f"{self.organization_path}_id"

    def rows(self, keys: Sequence[int]) -> dict[int, Any]:
        """Return rows of `queryset` by primary key.

        Most transactions change one or two rows of a kind, so these go through a compiled query.
        """
        if len(keys) > 2:
            return self.queryset().in_bulk(keys)
        return {row.pk: row for row in self._pair.fetch(one=keys[0], other=keys[-1])}

    @cached_property
    def _pair(self) -> "CompiledQuery[Any]":
        return CompiledQuery(lambda: self.queryset().filter(pk__in=[Param("one"), Param("other")]))

    @cached_property
    def row(self) -> "CompiledQuery[Any]":
        """Query of one row with its resourceVersion, by `name` and, for namespaced kinds, `namespace`."""
        return CompiledQuery(lambda: self.queryset().with_revision().filter(**self._address))

    @cached_property
    def named(self) -> "CompiledQuery[Any]":
        """Query of one object by name and namespace: (organization id, JSON text of the newest manifest)."""
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
        """Return the `spec` as it would be shown after a validated spec has been written.

        `row` is the object to be updated; None on create. Values are in their stored form, so that a manifest as sent
        can be compared with the manifest as shown.
        """
        raise NotImplementedError

    def create(self, body: ObjectInput, *, actor: Actor) -> Any:
        """Create the object through its service and return the row."""
        raise NotImplementedError

    def lock(self, row: Any) -> None:
        """Lock the first row that `update` locks, until the transaction ends.

        That is the row itself unless a kind overrides this.
        """
        self.model._default_manager.locked().get(pk=row.pk)  # type: ignore[attr-defined]

    def warnings(self, row: Any) -> tuple[str, ...]:
        """Return what the client should be warned of, about a row that `create` or `update` has returned."""
        return ()

    def update(self, row: Any, body: ObjectInput, *, actor: Actor, resource_version: int | None) -> Any:
        """Update the object through its service and return the row.

        The service raises `Conflict` if `resource_version` is stale. None accepts any revision.
        """
        raise NotImplementedError


_kinds: dict[str, Kind] = {}


def register(kind: type[Kind]) -> type[Kind]:
    """Register a kind. Class decorator.

    To extend a kind of another application, register a subclass: it replaces the base class. Raises `ValueError` if
    the resource is taken by a kind that is no base class of this one.
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
    """Return the kind of a resource (`plural.group`). Raises `KeyError` for an unregistered one."""
    return _kinds[resource]


def namespace_kind() -> Kind:
    """Return the kind that provides the namespaces."""
    return next(kind for kind in _kinds.values() if kind.is_namespace)


def kind_of(model: type[models.Model]) -> Kind | None:
    """Return the kind of a model; None if its rows are not served as a resource."""
    return next((kind for kind in _kinds.values() if kind.model is model), None)
