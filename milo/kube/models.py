"""What every resource has in common, and the change log that all of them share."""

import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

import orjson
from django.db import models
from django.db.models import OuterRef, Q, Subquery, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy

from milo.columns import Columns, fixed

M = TypeVar("M", bound=models.Model, covariant=True)
if TYPE_CHECKING:
    _TextField = models.TextField[dict[str, Any], dict[str, Any]]
else:
    _TextField = models.TextField


EMPTY_LIST = Value([], models.JSONField())
"""Default of the columns that an upgrade adds."""


class ResourceQuerySet(models.QuerySet[M]):
    """Querysets of resources."""

    def locked(self) -> Self:
        """Rows locked until the transaction ends, by primary key so that two acts never wait in a circle.

        `FOR NO KEY UPDATE` of the row itself: `FOR KEY SHARE` would let a close race a bind
        (docs/architecture.md, "Lock order").
        """
        return self.order_by("pk").select_for_update(no_key=True, of=("self",))

    def with_revision(self) -> Self:
        """Rows annotated with `resource_version`, the number of their newest revision."""
        newest = Change.objects.filter(uid=OuterRef("uid")).order_by("-resource_version")
        return self.annotate(resource_version=Subquery(newest.values("resource_version")[:1]))

    def with_manifest(self, at: int | None = None) -> Self:
        """Rows annotated with `manifest`, the JSON text of their newest revision, or of the one they had at `at`.

        None where an object came later than that.
        """
        revisions = Change.objects.filter(uid=OuterRef("uid"), **({} if at is None else {"resource_version__lte": at}))
        text = revisions.order_by("-resource_version").values("manifest")[:1]
        return self.annotate(manifest=Subquery(text, output_field=models.TextField()))


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

    # what kinds say in their `columns` of those above
    FIXED = "id uid name created_at"
    FREE = "labels annotations managed_fields finalizers owner_references generation"
    PERSONAL = "labels annotations"

    managers_stated = False
    """Whether the write at work has said who manages which field; of this instance, and no column."""
    managers_changed = False
    """Whether that differs from what the database has."""

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
    """The constraint that an insert breaks whose name is taken; each kind says its own."""
    # no part of what the first version sealed (milo/ledger/shapes.py)
    later_columns = frozenset({"finalizers", "owner_references"})

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Counter(models.Model):
    """The one number that orders all changes. Its row is locked from the numbering of an act to its commit.

    A sequence would let a watcher that reads "after N" lose 446 of 1,600 events (docs/traps.md).
    """

    value = models.BigIntegerField()
    compacted = models.BigIntegerField(db_default=0, help_text="revisions below this one may be gone")

    # both go forward only (milo/kube/guards.py)
    columns = Columns.of(free="id value compacted")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="kube_counter_single_row")]

    def __str__(self) -> str:
        return str(self.value)


class ManifestField(_TextField):
    """A manifest, kept as the JSON text that is sent: a list joins the texts of its objects and makes none anew."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else orjson.loads(value)

    def get_prep_value(self, value: Any) -> str:
        return orjson.dumps(value).decode()


class Change(models.Model):
    """One revision of one object: how it looked from this resourceVersion on, and what happened to it.

    Serves watch, replay, consistent paging and events (a change with a reason). Rows are only ever added;
    compaction removes old ones, never the newest of an object.
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
        personal="manifest message",
    )

    class Meta:
        indexes = [
            # newest revision of an object, and the one before it
            models.Index(fields=["uid", "-resource_version"], name="kube_change_of_object"),
            # replay and paging of one kind
            models.Index(fields=["resource", "resource_version"], name="kube_change_of_kind"),
            # the events of a namespace, newest first: few among all that is in the log
            models.Index(
                fields=["namespace", "-resource_version"], name="kube_event_of_namespace", condition=~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource_version} {self.type} {self.resource} {self.namespace}/{self.name}"
