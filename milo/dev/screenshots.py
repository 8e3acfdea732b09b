"""`python -m milo.dev.screenshots`: pictures of the staff site with the samples of `make up`, and docs/console.md.

It serves a data folder of its own, logs in as each person, and takes each page light, dark and on a narrow screen.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from milo.dev import browsers

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs/console.md"
PICTURES = ROOT / "docs/console"
START_SECONDS = 180
QUALITY = 70
VARIANTS: dict[str, tuple[int, Literal["light", "dark"]]] = {
    "light": (1440, "light"),
    "dark": (1440, "dark"),
    "narrow": (390, "light"),
}
"""Width in pixels and color scheme of each."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A page: who looks at it, the way to it from the first page, and what it is for.

    A step of the way is an address, or the text of a link. `whole` is for a page that is worth scrolling.
    """

    name: str
    title: str
    person: str
    way: tuple[str, ...]
    text: str
    whole: bool = False


SHOTS = (
    Shot(
        "home",
        "What waits for me",
        "approver",
        (),
        "The first page, by role: each card leads to the list of what waits.",
    ),
    Shot(
        "inbox",
        "Inbox",
        "approver",
        ("/admin/billing/approvalrequest/", "Mine to decide"),
        "Requests, oldest first, with their age, what they change and why.",
    ),
    Shot(
        "request",
        "A request",
        "approver",
        ("/admin/billing/approvalrequest/", "close-pilot"),
        "What changes, whom it concerns, and the decision on the same page.",
        whole=True,
    ),
    Shot(
        "account",
        "An account",
        "operator",
        ("/admin/billing/billingaccount/?q=acme-corp-us", "acme-corp-us"),
        "Its state on top; the rest in tabs that are read when they are opened.",
    ),
    Shot(
        "suspended",
        "A suspended account",
        "operator",
        ("/admin/billing/billingaccount/?q=acme-group-retail", "acme-group-retail", "Timeline"),
        "One history of all that happened to it, filtered by kind, person and period.",
        whole=True,
    ),
    Shot(
        "usage",
        "Usage of an account",
        "operator",
        ("/admin/billing/billingaccount/?q=acme-corp-us", "acme-corp-us", "Usage"),
        "By day and by meter; any month is exported as FOCUS.",
    ),
    Shot(
        "project",
        "A project",
        "operator",
        ("/admin/projects/project/?q=acme-wiki", "acme-wiki"),
        "Who paid when, with corrections.",
        whole=True,
    ),
    Shot("moves", "Payer changes", "operator", ("/admin/billing/payerchange/",), "Plans, and what came of them."),
    Shot(
        "affiliations",
        "Accounts under accounts",
        "operator",
        ("/admin/billing/billingaccountaffiliation/",),
        "Relations and plans, with what stands in their way.",
    ),
    Shot(
        "accounts",
        "Accounts",
        "operator",
        ("/admin/billing/billingaccount/",),
        "Lists are filtered, searched and exported.",
    ),
    Shot(
        "ledger",
        "Ledger",
        "auditor",
        ("/admin/identity/login/ledger/",),
        "Who did what, over all histories, for auditors.",
    ),
)


def main() -> None:
    """Take all pictures and write the page. Ends with a message where Chromium is missing or nothing is served."""
    executable = browsers.chromium()
    if not executable:
        sys.exit(f"Chromium is missing: {browsers.INSTALL}")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="milo-console-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        with _served(Path(folder)) as address:
            passwords: dict[str, str] = json.loads((Path(folder) / "passwords.json").read_text())
            for variant in VARIANTS:
                _take(browser, address, passwords, variant)
        browser.close()
    PAGES.write_text("\n".join(_document()))


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve the samples in the block; yield the address."""
    environment = {**os.environ, "MILO_DATA_DIR": str(folder), "MILO_HTTP_PORT": "0", "MILO_HTTPS_PORT": "0"}
    output = folder.parent / f"{folder.name}.txt"
    with output.open("w+") as file:
        process = subprocess.Popen([sys.executable, ROOT / "manage.py", "up"], env=environment, stdout=file)
        try:
            ends = time.monotonic() + START_SECONDS
            while "\nMilo is ready" not in output.read_text():
                if process.poll() is not None or time.monotonic() > ends:
                    sys.exit(f"manage.py up does not serve: {output.read_text()}")
                time.sleep(0.5)
            found = re.search(r"http://[0-9.]+:[0-9]+", output.read_text())
            assert found
            yield found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            output.unlink()


def _take(browser: Browser, address: str, passwords: dict[str, str], variant: str) -> None:
    width, scheme = VARIANTS[variant]
    pages: dict[str, Page] = {}
    for shot in SHOTS:
        if shot.person not in pages:
            size: ViewportSize = {"width": width, "height": 900}
            context = browser.new_context(base_url=address, viewport=size, color_scheme=scheme)
            pages[shot.person] = _logged_in(context.new_page(), shot.person, passwords[shot.person])
        page = pages[shot.person]
        page.goto("/admin/")
        for step in shot.way:
            if step.startswith("/"):
                page.goto(step)
            else:
                page.get_by_role("link", name=step, exact=True).first.click()
        page.wait_for_load_state("networkidle")
        print(f"{shot.name}, {variant}", flush=True)
        picture = PICTURES / f"{shot.name}-{variant}.jpg"
        page.screenshot(path=picture, type="jpeg", quality=QUALITY, full_page=shot.whole)


def _logged_in(page: Page, person: str, password: str) -> Page:
    page.goto("/admin/")
    page.get_by_label("Username").fill(person)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("#content-main, #header-inner, main", state="attached")
    return page


def _document() -> Iterator[str]:
    yield "# The staff site in pictures"
    yield ""
    yield "Made by `make screenshots` from the samples of `make up`: light, dark, and on a screen of 390 pixels."
    for shot in SHOTS:
        yield ""
        yield f"## {shot.title}"
        yield ""
        yield f"{shot.text} Seen by `{shot.person}`."
        yield ""
        for variant in VARIANTS:
            yield f"![{shot.title}, {variant}](console/{shot.name}-{variant}.jpg)"
    yield ""


if __name__ == "__main__":
    main()
