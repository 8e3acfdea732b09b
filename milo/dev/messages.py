"""`python -m milo.dev.messages`: bring the catalogues of German texts up to date with the sources, and compile them.

An application has its catalogue in `locale/de/LC_MESSAGES`; what is compiled is kept beside it, so that running Milo
needs no tool of gettext, and writing texts none but Babel.
"""

import ast
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

APPLICATIONS = ("milo", "projects", "billing")
LANGUAGE = "de"
KEYWORDS = {"_": None, "gettext": None, "gettext_lazy": None}
_IN_TEMPLATE = re.compile(r"""\bgettext\(u?((?:'(?:[^'\\]|\\.)*')|(?:"(?:[^"\\]|\\.)*"))\)""")


def catalogue(application: str) -> Path:
    """The file of an application's German texts; compiled, it has the suffix `.mo`."""
    return settings.BASE_DIR / application / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"


def read(application: str) -> Catalog:
    """An application's catalogue as it is kept; an empty one where there is none."""
    path = catalogue(application)
    return read_po(BytesIO(path.read_bytes() if path.exists() else b""), locale=LANGUAGE)


def sources(application: str) -> Iterator[tuple[str, str]]:
    """Every text for people in the sources of an application: the file (from the root) and the text."""
    root: Path = settings.BASE_DIR
    for path in sorted((root / application).rglob("*.*")):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".py":
            for _line, text, _comments, _context in extract("python", BytesIO(path.read_bytes()), KEYWORDS):
                yield name, str(text)
        elif "templates" in path.parts:
            for literal in _IN_TEMPLATE.findall(templatize(path.read_text())):
                yield name, ast.literal_eval(literal)


def compiled(application: str) -> bytes:
    """An application's catalogue as programs read it."""
    content = BytesIO()
    write_mo(content, read(application))
    return content.getvalue()


def update(application: str) -> int:
    """Take new texts into a catalogue, drop those that are gone, compile it; returns how many lack German."""
    found = Catalog(locale=LANGUAGE, fuzzy=False)
    for name, text in sources(application):
        found.add(text, locations=[(name, 0)])
    kept = read(application)
    kept.update(found, no_fuzzy_matching=True, update_creation_date=False)
    kept.obsolete.clear()
    path = catalogue(application)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, kept, width=100, sort_output=True, include_lineno=False, ignore_obsolete=True)
    path.with_suffix(".mo").write_bytes(compiled(application))
    return sum(not message.string for message in kept if message.id)


if __name__ == "__main__":
    missing = {application: update(application) for application in APPLICATIONS}
    sys.exit("; ".join(f"{name}: {count} texts lack German" for name, count in missing.items() if count) or None)
