"""`python -m milo.dev.messages`: update the German catalogs from the sources, and compile them.

Each application has its catalog in `locale/de/LC_MESSAGES`. The compiled file is committed beside it, so running Milo
needs no gettext tools, and adding texts needs only Babel.
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
KEYWORDS = {"_": None, "gettext_lazy": None}
_IN_TEMPLATE = re.compile(r"""\bgettext\(u?((?:'(?:[^'\\]|\\.)*')|(?:"(?:[^"\\]|\\.)*"))\)""")


def catalog(application: str) -> Path:
    """Return the path of an application's catalog; the compiled file has the suffix `.mo`."""
    return settings.BASE_DIR / application / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"


def read(application: str) -> Catalog:
    """Return the stored catalog of an application, or an empty one."""
    path = catalog(application)
    return read_po(BytesIO(path.read_bytes() if path.exists() else b""), locale=LANGUAGE)


def sources(application: str) -> Iterator[tuple[str, str]]:
    """Yield path (from the root) and text of every translatable text of an application."""
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
    """Return the compiled catalog of an application."""
    content = BytesIO()
    write_mo(content, read(application))
    return content.getvalue()


def update(application: str) -> int:
    """Add new texts to a catalog, drop obsolete ones, and compile it. Return how many texts lack German."""
    extracted = Catalog(locale=LANGUAGE, fuzzy=False)
    for name, text in sources(application):
        extracted.add(text, locations=[(name, 0)])
    translated = read(application)
    translated.update(extracted, no_fuzzy_matching=True, update_creation_date=False)
    translated.obsolete.clear()
    path = catalog(application)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, translated, width=100, sort_output=True, include_lineno=False, ignore_obsolete=True)
    path.with_suffix(".mo").write_bytes(compiled(application))
    return sum(not message.string for message in translated if message.id)


if __name__ == "__main__":
    missing = {application: update(application) for application in APPLICATIONS}
    sys.exit("; ".join(f"{name}: {count} texts lack German" for name, count in missing.items() if count) or None)
