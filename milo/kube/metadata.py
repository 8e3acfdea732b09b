"""The writable part of ObjectMeta."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from milo.errors import Cause
from milo.kube.models import Resource
from milo.kube.names import finalizer_causes, metadata_causes, owner_reference_causes


@dataclass(frozen=True, slots=True)
class Metadata:
    """Labels, annotations, finalizers, owner references and managedFields to be written.

    None keeps the stored value.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    finalizers: Sequence[str] | None = None
    owner_references: Sequence[Mapping[str, Any]] | None = None
    managed_fields: list[dict[str, Any]] | None = None

    def causes(self) -> list[Cause]:
        """Return a cause for every field error."""
        causes = metadata_causes(self.labels, self.annotations)
        causes += finalizer_causes(self.finalizers or ())
        return causes + owner_reference_causes(self.owner_references or ())

    def relabels(self, row: Resource) -> bool:
        """Return whether labels or annotations differ from those of `row`. Closed objects refuse such a change."""
        return (dict(self.labels), dict(self.annotations)) != (row.labels, row.annotations)

    def put_on(self, row: Resource) -> bool:
        """Set these on `row` in memory and return whether anything changed that belongs in history.

        managedFields are not part of history. The generation stays: Kubernetes increases it for `spec` only.
        """
        changed = False
        for attribute in ("labels", "annotations", "finalizers", "owner_references"):
            value = getattr(self, attribute)
            if value is not None and value != getattr(row, attribute):
                setattr(row, attribute, value)
                changed = True
        if self.managed_fields is not None:
            row.managers_stated, row.managers_changed = True, self.managed_fields != row.managed_fields
            row.managed_fields = self.managed_fields
        return changed
