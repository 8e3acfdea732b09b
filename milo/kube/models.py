"""The abstract model of every resource, and the change log of all resources."""

import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

import orjson
from django.db import models
from django.db.models import OuterRef, Q, Subquery, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy

from milo.columns import Columns, fixed
from milo.gin_indexes import GinIndex

M = TypeVar("M", bound=models.Model, covariant=True)
if TYPE_CHECKING:
    _TextField = models.TextField[dict[str, Any], dict[str, Any]]
else:
    _TextField = models.TextField


EMPTY_LIST = Value([], models.JSONField())
"""Database default for list columns added by an upgrade."""


class ResourceQuerySet(models.QuerySet[M]):
    """Querysets of resources."""

    def locked(self) -> Self:
        """Lock the rows until the transaction ends, in the order of primary keys so that transactions never deadlock.

        The lock is `FOR NO KEY UPDATE` of the row itself. `FOR KEY SHARE` would let a close race a bind
        (docs/architecture.md, "Lock order").
        """
        return self.order_by("pk").select_for_update(no_key=True, of=("self",))

    def with_revision(self) -> Self:
        """Annotate rows with `resource_version`, the number of their newest revision."""
        newest = Change.objects.filter(uid=OuterRef("uid")).order_by("-resource_version")
        return self.annotate(resource_version=Subquery(newest.values("resource_version")[:1]))

    def with_manifest(self, at: int | None = None) -> Self:
        """Annotate rows with `manifest`: the JSON text of the newest revision, or of the revision current at `at`.

        `at` is a resourceVersion. The manifest is None for objects created after it.
        """
        revisions = Change.objects.filter(uid=OuterRef("uid"), **({} if at is None else {"resource_version__lte": at}))
        text = revisions.order_by("-resource_version").values("manifest")[:1]
        return self.annotate(manifest=Subquery(text, output_field=models.TextField()))


class LabelIndex(GinIndex):
    """An index of label keys and values for label selectors, on PostgreSQL. On SQLite it is of no row."""

    suffix = "gin"

    def __init__(self, *, name: str) -> None:
        super().__init__(fields=["labels"], name=name)

    def in_its_place(self) -> models.Index:
        # no object is without a name
        return models.Index(fields=self.fields, name=self.name, condition=Q(name=""))

    def deconstruct(self) -> Any:
        path, _arguments, _options = super().deconstruct()
        return path, (), {"name": self.name}


class Resource(models.Model):
    """Columns of ObjectMeta: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/"""

    uid = models.UUIDField(gettext_lazy("UID"), default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(
        gettext_lazy("name"), max_length=63, help_text=gettext_lazy("DNS-1123 label, unique within the organization.")
    )
    labels = models.JSONField(gettext_lazy("labels"), default=dict, blank=True)
    annotations = models.JSONField(gettext_lazy("annotations"), default=dict, blank=True)
    managed_fields = models.JSONField(gettext_lazy("managed fields"), default=list, blank=True, editable=False)
    finalizers = models.JSONField(
        gettext_lazy("finalizers"), default=list, db_default=EMPTY_LIST, blank=True, editable=False
    )
    owner_references = models.JSONField(
        gettext_lazy("owner references"), default=list, db_default=EMPTY_LIST, blank=True, editable=False
    )
    generation = models.PositiveIntegerField(gettext_lazy("generation"), default=1, editable=False)
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now, editable=False)

    # classification of the columns above, for the `columns` of each model
    FIXED = "id uid name created_at"
    FREE = "labels annotations managed_fields finalizers owner_references generation"
    TEXTS = "labels annotations"

    managers_stated = False
    """Whether the current write has set managedFields. An attribute of the instance, not a column."""
    managers_changed = False
    """Whether those managedFields differ from the stored ones."""

    manifest_paths = {
        "name": "metadata.name",
        "labels": "metadata.labels",
        "annotations": "metadata.annotations",
        "finalizers": "metadata.finalizers",
        "owner_references": "metadata.ownerReferences",
        "managed_fields": "metadata.managedFields",
    }
    derived_columns = frozenset({"managed_fields"})
    name_constraint = ""
    """Name of the unique constraint on `name`: an insert that violates it is answered with AlreadyExists."""
    # added after the first version, so seals of that version do not cover them (milo/ledger/shapes.py)
    later_columns = frozenset({"finalizers", "owner_references"})

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Counter(models.Model):
    """The number that orders all changes. A transaction holds the lock of its row from numbering to commit.

    With a sequence numbers could become visible out of order: a watcher that reads "after N" lost 446 of 1,600 events
    (docs/traps.md).
    """

    value = models.BigIntegerField()
    compacted = models.BigIntegerField(db_default=0, help_text="revisions below this one may be gone")

    # neither ever decreases (milo/kube/guards.py)
    columns = Columns.of(free="id value compacted")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="kube_counter_single_row")]

    def __str__(self) -> str:
        return str(self.value)


class ManifestField(_TextField):
    """A manifest, stored as the JSON text that is sent. Lists concatenate these texts without parsing them."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else orjson.loads(value)

    def get_prep_value(self, value: Any) -> str:
        return orjson.dumps(value).decode()


class Change(models.Model):
    """One revision of one object: its manifest from this resourceVersion on, and the change that made it.

    Serves watch, replay, consistent paging and events (changes with a reason). Rows are never updated. Compaction
    deletes old rows, never the newest of an object.
    """

    class Type(models.TextChoices):
        ADDED = "ADDED"
        MODIFIED = "MODIFIED"
        DELETED = "DELETED"

    resource_version = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    type = models.CharField(max_length=8, choices=Type.choices)
    resource = models.CharField(max_length=120, help_text="plural.group")
    organization = models.CharField(max_length=63, help_text="who owns the object, also where it has no namespace")
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=63)
    uid = models.UUIDField()
    manifest = ManifestField()
    actor = models.CharField(max_length=200)
    reason = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)

    columns = Columns.of(
        fixed(
            "change_fixed",
            "resource_version at type resource organization namespace name uid manifest actor reason message",
        ),
        texts="manifest message",
    )

    class Meta:
        indexes = [
            # newest revision of an object, and the one before it
            models.Index(fields=["uid", "-resource_version"], name="kube_change_of_object"),
            # replay and paging of one kind
            models.Index(fields=["resource", "resource_version"], name="kube_change_of_kind"),
            # events of a namespace, newest first: few of the revisions are events
            models.Index(
                fields=["namespace", "-resource_version"], name="kube_event_of_namespace", condition=~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource_version} {self.type} {self.resource} {self.namespace}/{self.name}"


class Renewal(models.Model):
    """Progress of comparing the objects of one kind with their manifests in the change log.

    `rendering` is the digest of the code that renders them (milo/kube/store/resync.py), `last` the newest primary key
    that was compared.
    """

    resource = models.CharField(max_length=120, primary_key=True, help_text="plural.group")
    rendering = models.CharField(max_length=64)
    last = models.BigIntegerField(default=0)
    compared = models.BigIntegerField(default=0)
    renewed = models.BigIntegerField(default=0)
    begun_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.resource


class RecordedResponse(models.Model):
    """The answer to a POST with an Idempotency-Key, stored for 24 hours.

    `request` is the digest of actor, address and key, `fingerprint` the digest of query and body. `revision` is the
    revision of the object shown, `organization_id` the organization that owns it.
    """

    request = models.CharField(max_length=64, primary_key=True)
    fingerprint = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)
    status = models.PositiveSmallIntegerField()
    content_type = models.CharField(max_length=200)
    warning = models.TextField(blank=True)
    body = models.BinaryField()
    revision = models.CharField(max_length=20, blank=True)
    organization_id = models.BigIntegerField(null=True)

    # a task deletes rows that are 24 hours old, every half hour
    columns = Columns.of(
        free="request fingerprint at status content_type warning body revision organization_id", texts="body warning"
    )

    class Meta:
        indexes = [models.Index(fields=["at"], name="kube_response_by_age")]

    def __str__(self) -> str:
        return self.request
