"""Operations of migrations that others can work beside, on both engines."""

from dataclasses import asdict
from typing import Any

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations import AddIndex
from django.db.migrations.state import ProjectState
from django.db.models import Index

from milo.migrating import locks
from milo.migrating.derived import Derived, fill

_VALID = "SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = to_regclass(%s)"


class AddIndexConcurrently(AddIndex):
    """Add an index while rows are written; its migration is `atomic = False` and holds nothing but these.

    PostgreSQL waits for every transaction that is open, and nobody waits for it. One that was interrupted leaves an
    index that is not valid, which is made anew; one that is there already stays. SQLite has one writer, so there it is
    an index as any other.
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
            valid = self._is_valid(schema_editor.connection)
            if valid is False:
                schema_editor.remove_index(model, self.index, concurrently=True)
            if not valid:
                schema_editor.add_index(model, self.index, concurrently=True)

    def _is_valid(self, connection: BaseDatabaseWrapper) -> bool | None:
        """Return whether the index can be used; None if there is none."""
        with connection.cursor() as cursor:
            cursor.execute(_VALID, [f"public.{self.index.name}"])
            found = cursor.fetchone()
        return bool(found[0]) if found else None

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model = from_state.apps.get_model(app_label, self.model_name)
        with locks.long_waits(schema_editor.connection):
            schema_editor.remove_index(model, self.index, concurrently=True)


class AddIndexOfLibraryConcurrently(AddIndexConcurrently):
    """Add an index to a table of the app `library`, whose own migrations and models know nothing of it."""

    def __init__(self, library: str, model_name: str, index: Index) -> None:
        super().__init__(model_name, index)
        self.library = library

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the state alone, or the library's next migration would remove the index."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        super().database_forwards(self.library, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        super().database_backwards(self.library, schema_editor, from_state, to_state)

    def deconstruct(self) -> Any:
        name, _arguments, options = super().deconstruct()
        return name, [], {"library": self.library, **options}


class FillDerived(migrations.RunPython):
    """Make the rows of a derived table (see `Derived`), whose triggers are there. The migration must not be atomic."""

    def __init__(self, table: str, columns: tuple[str, ...], source: str, rows: str) -> None:
        self.derived = Derived(table, columns, source, rows)
        super().__init__(lambda _apps, editor: fill(editor.connection, self.derived), self.noop)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [], asdict(self.derived)
