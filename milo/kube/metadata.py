"""The part of ObjectMeta that users write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from milo.errors import Cause
from milo.kube.models import Resource
from milo.kube.names import finalizer_causes, metadata_causes, owner_reference_causes


@dataclass(frozen=True, slots=True)
class Metadata:
    """Labels, annotations, finalizers and owner references, and who manages which field (server-side apply).

    None leaves what the object has as it is.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    finalizers: Sequence[str] | None = None
    owner_references: Sequence[Mapping[str, Any]] | None = None
    managed_fields: list[dict[str, Any]] | None = None

    def causes(self) -> list[Cause]:
        """Every fault of these."""
        causes = metadata_causes(self.labels, self.annotations)
        causes += finalizer_causes(self.finalizers or ())
        return causes + owner_reference_causes(self.owner_references or ())

    def relabels(self, row: Resource) -> bool:
        """Whether labels or annotations differ from those of `row`, which a closed object keeps."""
        return (dict(self.labels), dict(self.annotations)) != (row.labels, row.annotations)

    def put_on(self, row: Resource) -> bool:
        """Set these on `row` in memory. The generation is not theirs to bump.

        Returns whether anything differs that history keeps; who manages which field is not among it.
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
