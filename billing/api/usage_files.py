"""Files of FOCUS rows, written piece by piece so that none is ever whole in memory: CSV, and Parquet by pyarrow."""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from django.utils.translation import gettext as _

from billing.usage.focus import COLUMNS, Type, Value, text
from billing.usage.quantities import DECIMAL_PLACES
from milo.kube.wire.status import NotAcceptable
from milo.spreadsheets import CSV, csv_text

PARQUET = "application/vnd.apache.parquet"
Rows = Iterable[Sequence[Value]]


class FocusFile(Protocol):
    """What a file begins with, what rows (in the order of `COLUMNS`) add to it, and what it ends with."""

    content_type: str
    suffix: str

    def begin(self) -> bytes: ...

    def add(self, rows: Rows) -> bytes: ...

    def end(self) -> bytes: ...


class CsvFile:
    """Lines in UTF-8, the first with the names of the columns; null is an empty cell."""

    content_type, suffix = f"{CSV}; charset=utf-8", "csv"

    def begin(self) -> bytes:
        return csv_text([list(COLUMNS)]).encode()

    def add(self, rows: Rows) -> bytes:
        return csv_text([text(value) for value in row] for row in rows).encode()

    def end(self) -> bytes:
        return b""


class _Written:
    """The file that pyarrow writes to: keeps what was not taken yet."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class ParquetFile:
    """Typed columns: instants in UTC to the millisecond, decimal128(38, 12), strings; a row group for each `add`.

    Raises `NotAcceptable` where pyarrow is not installed, which is an extra.
    """

    content_type, suffix = PARQUET, "parquet"

    def __init__(self) -> None:
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
        self._schema = pyarrow.schema([(name, kinds[column.type]) for name, column in COLUMNS.items()])
        self._written = _Written()
        self._writer = ParquetWriter(self._written, self._schema, compression="zstd")

    def begin(self) -> bytes:
        return self._written.take()

    def add(self, rows: Rows) -> bytes:
        from pyarrow import RecordBatch, array

        columns = [
            array(values, field.type) for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(RecordBatch.from_arrays(columns, schema=self._schema))
        return self._written.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._written.take()
