"""Indexes of what is inside of values, which PostgreSQL has and SQLite has not."""

from typing import Any

from django.db import models


class GinIndex(models.Index):
    """A GIN index on PostgreSQL; on SQLite one of as good as no row takes its place, so that both have its name."""

    def in_its_place(self) -> models.Index:
        """Return the index of SQLite."""
        raise NotImplementedError

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        if schema_editor.connection.vendor == "postgresql":
            return super().create_sql(model, schema_editor, using=" USING gin", **kwargs)
        return self.in_its_place().create_sql(model, schema_editor)
