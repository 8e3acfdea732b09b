"""Static files by whitenoise: those that `collectstatic` has collected, and those of the packages as they are.

Collected files have names with a hash of their content, which browsers keep for years, and are compressed once.
"""

from pathlib import Path
from typing import Any

from whitenoise.compress import Compressor
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

READABLE = 0o644
"""Another user may serve them."""


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """whitenoise's, which warns at each start where nothing was collected. Packages have their own files."""

    def add_files(self, root: Any, prefix: Any = None) -> None:
        if Path(root).is_dir():
            super().add_files(root, prefix)


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """whitenoise's, which knows no file before `collectstatic`: until then each has its own name."""

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name

    def create_compressor(self, **options: Any) -> Compressor:
        return _ReadableCompressor(**options)


class _ReadableCompressor(Compressor):
    def write_data(self, *arguments: Any) -> str:
        written = str(super().write_data(*arguments))
        Path(written).chmod(READABLE)
        return written
