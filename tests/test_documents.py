"""Documents: whatever names one, or a section of one, names what there is."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import milo

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FOLDERS = (
    *("milo", "projects", "billing", "soak", "tests", "benchmarks", "deploy", "docs", "requirements", "samples"),
    ".ci",
)
# code, documents and configuration; the sources of data are the web's documents
SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".sql", ".html", ".txt", ".css", ".js", ".po", ".in", ""}
REFERENCE = re.compile(r'(?<![\w./-])((?:[\w.-]+/)*[\w-][\w.-]*\.md)\b(?:#([\w-]+)|,\s"([^"]+)")?')


def texts() -> Iterator[tuple[Path, str]]:
    """Yield each file that may name a document, its lines joined and the web's addresses left out."""
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    paths += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in paths:
        if path.suffix in SUFFIXES and "__pycache__" not in path.parts and path.name != ".git":
            joined = re.sub(r"\s*\n\s*(?:#\s)?", " ", path.read_text())
            yield path, re.sub(r"\w+://[^\s\"')]+", "", joined)


@cache
def references() -> list[tuple[str, str, str, str]]:
    """Return source, document, anchor and section of each reference; those of this file are invented."""
    return [
        (path.relative_to(ROOT).as_posix(), name, anchor, section)
        for path, text in texts()
        if path != Path(__file__)
        for name, anchor, section in REFERENCE.findall(text)
    ]


def document(source: str, name: str) -> Path | None:
    """Return the document that `source` calls `name`, from the root or from where the source stands."""
    for folder in (ROOT, (ROOT / source).parent):
        if (folder / name).is_file():
            return folder / name
    return None


def headings(path: Path) -> set[str]:
    fenced = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^#+ (.+)$", fenced, re.MULTILINE))


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_references_are_found() -> None:
    found = {name for _source, name, _anchor, _section in references()}
    assert {"docs/traps.md", "docs/compliance.md", "CONTRIBUTING.md", "../README.md"} <= found
    assert ("docs/x.md", "", "Floors") in REFERENCE.findall('see docs/x.md, "Floors"')
    assert ("x.md", "a-b", "") in REFERENCE.findall("(x.md#a-b)")


def test_every_document_that_is_named_exists() -> None:
    missing = [(source, name) for source, name, _anchor, _section in references() if document(source, name) is None]
    assert missing == []


def test_every_section_that_is_named_exists() -> None:
    missing = []
    for source, name, anchor, section in references():
        path = document(source, name)
        if path and section and section not in headings(path):
            missing.append((source, name, section))
        if path and anchor and anchor not in map(anchor_of, headings(path)):
            missing.append((source, name, anchor))
    assert missing == []


def test_code_names_documents_by_their_path_from_the_root() -> None:
    named = {(source, name) for source, name, _anchor, _section in references() if source.endswith(".py")}
    assert {(source, name) for source, name in named if not (ROOT / name).is_file()} == set()


def test_the_index_has_every_page_once() -> None:
    listed = re.findall(r"\]\(([\w/.-]+\.md)\)", (DOCS / "index.md").read_text())
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.glob("*.md")} - {"index.md"}
    pages |= {"decisions/index.md", "runbooks/index.md"}
    assert sorted(name for name in listed if not name.startswith("../")) == sorted(pages)


def test_decisions_are_numbered_listed_and_whole() -> None:
    paths = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert [path.name[:4] for path in paths] == [f"{number:04}" for number in range(1, len(paths) + 1)]
    index = (DOCS / "decisions" / "index.md").read_text()
    for number, path in enumerate(paths, 1):
        lines = path.read_text().splitlines()
        title = lines[0].removeprefix(f"# {number}. ")
        assert lines[0] == f"# {number}. {title}"
        date = lines[2].removeprefix("Date: ")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", date), path.name
        assert f"| {number:04} | [{title}]({path.name}) | {date} |" in index
        assert headings(path) == {lines[0][2:], "Context", "Decision", "Rejected alternatives"}, path.name


def test_the_newest_section_of_the_changelog_is_the_version() -> None:
    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(milo.__version__)} - \d{{4}}-\d\d-\d\d", sections[1])
