"""Files of the data folder that hold secrets."""

import os
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Write `text` to a file that only its owner can read, atomically."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
