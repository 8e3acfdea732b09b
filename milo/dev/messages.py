"""`python -m milo.dev.messages`: update the German catalogs from the sources, and compile them.

Each application has its catalog in `locale/de/LC_MESSAGES`. The compiled file is committed beside it, so running Milo
needs no gettext tools, and adding texts needs only Babel.
"""

import ast
import gettext
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.utils.translation.template import templatize

# of which our pages use the templates; what German they lack is in our catalog
LIBRARIES = ("unfold", "simple_history", "import_export")
# parts of theirs that no page of ours uses
_UNUSED = frozenset({"constance", "guardian", "crispy", "unfold_crispy", "wysiwyg", "location_field", "tests"})
APPLICATIONS = ("milo", "projects", "billing")
LANGUAGE = "de"
KEYWORDS = {"_": None, "gettext_lazy": None}
_LITERAL = r"""u?((?:'(?:[^'\\]|\\.)*')|(?:"(?:[^"\\]|\\.)*"))"""
_IN_TEMPLATE = re.compile(rf"\bgettext\({_LITERAL}\)")
_PLURAL = re.compile(rf"\bngettext\({_LITERAL}, *{_LITERAL},")


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


def of_relations(application: str) -> Iterator[str]:
    """Yield the names of the columns of an application that lead to other rows."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields if model.__module__.partition(".")[0] == application else ():
            if field.is_relation:
                yield str(field.verbose_name)


def of_libraries() -> Iterator[str | tuple[str, str]]:
    """Yield the texts of the libraries that neither they nor Django have German for; two for one with a plural."""
    known = [gettext.translation("django", str(folder), [LANGUAGE], fallback=True) for folder in _their_catalogs()]
    for text in dict.fromkeys(text for name in LIBRARIES for text in _texts_of(_folder(name))):
        single = text if isinstance(text, str) else text[0]
        if not any(_has(catalog, text) for catalog in known) and single.strip():
            yield text


def _has(catalog: gettext.NullTranslations, text: str | tuple[str, str]) -> bool:
    told = catalog.gettext(text) if isinstance(text, str) else catalog.ngettext(*text, 1)
    return told not in text


def _folder(name: str) -> Path:
    return Path(str(import_module(name).__file__)).parent


def _their_catalogs() -> Iterator[Path]:
    yield _folder("django") / "conf" / "locale"
    for application in apps.get_app_configs():
        if application.name.partition(".")[0] not in APPLICATIONS:
            yield Path(application.path) / "locale"


def _texts_of(folder: Path) -> Iterator[str | tuple[str, str]]:
    for path in sorted(folder.rglob("*.*")):
        if _UNUSED & set(path.relative_to(folder).parts):
            continue
        if path.suffix == ".py":
            for _line, text, _comments, _context in extract("python", BytesIO(path.read_bytes()), KEYWORDS):
                yield str(text)
        elif path.suffix == ".html":
            source = templatize(path.read_text())
            yield from map(ast.literal_eval, _IN_TEMPLATE.findall(source))
            yield from ((ast.literal_eval(one), ast.literal_eval(many)) for one, many in _PLURAL.findall(source))


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
    others: list[tuple[str, str | tuple[str, str]]] = [("models", text) for text in of_relations(application)]
    others += [("libraries", text) for text in of_libraries()] if application == APPLICATIONS[0] else []
    for place, other in others:
        if other not in extracted:
            extracted.add(other, locations=[(place, 0)])
    translated = read(application)
    translated.update(extracted, no_fuzzy_matching=True, update_creation_date=False)
    translated.obsolete.clear()
    path = catalog(application)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, translated, width=100, sort_output=True, include_lineno=False, ignore_obsolete=True)
    path.with_suffix(".mo").write_bytes(compiled(application))
    return sum(not all(_strings(message)) for message in translated if message.id)


def _strings(message: Message) -> tuple[Any, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


if __name__ == "__main__":
    django.setup()
    missing = {application: update(application) for application in APPLICATIONS}
    sys.exit("; ".join(f"{name}: {count} texts lack German" for name, count in missing.items() if count) or None)
