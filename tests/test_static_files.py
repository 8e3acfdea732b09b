"""Static files: as they are until `collectstatic`, then under names that browsers keep for years, and compressed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseBase
from django.test import RequestFactory

from milo.static_files import StaticFilesMiddleware

pytestmark = pytest.mark.once


@pytest.fixture
def sources(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A folder of a style sheet and its picture, which is collected by a process that closes its files to others."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "page.css").write_text("body { background: url(logo.svg); color: black; }\n" * 50)
    (folder / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [folder], tmp_path / "collected"
    before = os.umask(0o077)
    yield folder
    os.umask(before)


def get(path: str) -> HttpResponseBase:
    request = RequestFactory().get(path, headers={"accept-encoding": "gzip"})
    answer: HttpResponseBase = StaticFilesMiddleware(lambda _request: HttpResponse(status=404))(request)
    return answer


def test_before_they_are_collected_files_have_their_own_names(sources: Path) -> None:
    assert staticfiles_storage.url("page.css") == "/static/page.css"
    assert get("/static/page.css").status_code == 200


def test_collected_files_are_compressed_and_kept_for_years(sources: Path, settings: Any) -> None:
    call_command("collectstatic", interactive=False, verbosity=0)
    address = staticfiles_storage.url("page.css")
    answer = get(address)
    assert address != "/static/page.css"
    assert (answer.status_code, answer["Content-Encoding"]) == (200, "gzip")
    assert answer["Cache-Control"] == "max-age=315360000, public, immutable"
    # a page of another version asks by the name that it knows
    assert "immutable" not in get("/static/page.css")["Cache-Control"]
    style = (Path(settings.STATIC_ROOT) / address.removeprefix("/static/")).read_text()
    picture = staticfiles_storage.url("logo.svg").removeprefix("/static/")
    assert picture != "logo.svg"
    assert f'url("{picture}")' in style


def test_whoever_serves_collected_files_can_read_them(sources: Path, settings: Any) -> None:
    call_command("collectstatic", interactive=False, verbosity=0)
    files = [each for each in Path(settings.STATIC_ROOT).rglob("*") if each.is_file()]
    assert {each.suffix for each in files} == {".css", ".svg", ".gz", ".json"}
    assert {oct(each.stat().st_mode & 0o777) for each in files} == {"0o644"}
