"""The part of ObjectMeta that users write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from milo.errors import Cause
from milo.kube.models import Resource
from milo.kube.names import metadata_causes


@dataclass(frozen=True, slots=True)
class Metadata:
    """Labels and annotations, and who manages which field (server-side apply; None leaves that as it is)."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    managed_fields: list[dict[str, Any]] | None = None

    def causes(self) -> list[Cause]:
        return metadata_causes(self.labels, self.annotations)

    def put_on(self, row: Resource) -> bool:
        """Set these on `row` in memory; returns whether anything differs. The generation is not theirs to bump."""
        changed = False
        for attribute in ("labels", "annotations", "managed_fields"):
            value = getattr(self, attribute)
            if value is not None and value != getattr(row, attribute):
                setattr(row, attribute, value)
                changed = True
        return changed
