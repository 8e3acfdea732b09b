"""Operations of migrations that others can work beside, on both engines."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations import AddIndex
from django.db.migrations.state import ProjectState

from milo.migrating import locks

_INVALID = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid)"


class AddIndexConcurrently(AddIndex):
    """Add an index while rows are written; its migration is `atomic = False` and holds nothing else.

    PostgreSQL waits for every transaction that is open, and nobody waits for it. One that was interrupted leaves an
    index that is not valid, which is made anew. SQLite has one writer, so there it is an index as any other.
    """

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if schema_editor.collect_sql:
            schema_editor.add_index(model, self.index, concurrently=True)
            return
        with locks.long_waits(schema_editor.connection):
            if self._is_invalid(schema_editor.connection):
                schema_editor.remove_index(model, self.index, concurrently=True)
            schema_editor.add_index(model, self.index, concurrently=True)

    def _is_invalid(self, connection: BaseDatabaseWrapper) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_INVALID, [f"public.{self.index.name}"])
            (answer,) = cursor.fetchone()
        return bool(answer)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model = from_state.apps.get_model(app_label, self.model_name)
        with locks.long_waits(schema_editor.connection):
            schema_editor.remove_index(model, self.index, concurrently=True)
