"""FOCUS files as CSV and, with pyarrow, Parquet. Written in pieces: a file is never whole in memory."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from django.utils.translation import gettext as _

from billing.usage.focus import Column, Type, Value, text
from billing.usage.quantities import DECIMAL_PLACES
from milo.kube.wire.status import NotAcceptable
from milo.spreadsheets import CSV, csv_text

PARQUET = "application/vnd.apache.parquet"
Rows = Iterable[Sequence[Value]]


class FocusFile(Protocol):
    """A file in pieces: its beginning, the bytes of each batch of rows (values in the order of columns), its end."""

    content_type: str
    suffix: str

    def begin(self) -> bytes: ...

    def add(self, rows: Rows) -> bytes: ...

    def end(self) -> bytes: ...


class CsvFile:
    """CSV in UTF-8, column names first; null is an empty cell."""

    content_type, suffix = f"{CSV}; charset=utf-8", "csv"

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._names = list(columns)

    def begin(self) -> bytes:
        return csv_text([self._names]).encode()

    def add(self, rows: Rows) -> bytes:
        return csv_text([text(value) for value in row] for row in rows).encode()

    def end(self) -> bytes:
        return b""


class _Buffer:
    """The file object that pyarrow writes to; `take` returns and forgets the bytes written since the last call."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def flush(self) -> None:
        """Do nothing: `write` has already stored every byte."""

    def take(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


class ParquetFile:
    """Parquet with typed columns: UTC instants in milliseconds, decimal128(38, 12), strings; one row group per `add`.

    Raises `NotAcceptable` if pyarrow, an optional dependency, is not installed.
    """

    content_type, suffix = PARQUET, "parquet"

    def __init__(self, columns: Mapping[str, Column]) -> None:
        if find_spec("pyarrow") is None:
            message = _("Parquet needs pyarrow, which is not installed on this server: pip install -r %(lock)s")
            raise NotAcceptable(message % {"lock": "requirements/parquet.txt"})
        import pyarrow
        from pyarrow.parquet import ParquetWriter

        kinds = {
            Type.DATE_TIME: pyarrow.timestamp("ms", tz="UTC"),
            Type.DECIMAL: pyarrow.decimal128(38, DECIMAL_PLACES),
            Type.STRING: pyarrow.string(),
        }
        self._schema = pyarrow.schema([(name, kinds[column.type]) for name, column in columns.items()])
        self._buffer = _Buffer()
        self._writer = ParquetWriter(self._buffer, self._schema, compression="zstd")

    def begin(self) -> bytes:
        return self._buffer.take()

    def add(self, rows: Rows) -> bytes:
        from pyarrow import RecordBatch, array

        columns = [
            array(values, field.type) for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(RecordBatch.from_arrays(columns, schema=self._schema))
        return self._buffer.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._buffer.take()
