"""What a page has that keeps somebody out: faults that axe-core finds, and text that nobody can read to its end."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_OPTIONS = {"runOnly": WCAG, "resultTypes": ["violations"]}
# boxes of select2 and simplebar are as wide as what they hold, which they measure themselves
_CUT = """() => [...document.querySelectorAll("main *, header *")].filter(it => {
    const style = getComputedStyle(it);
    const hides = overflow => overflow === "hidden" || overflow === "clip";
    return it.clientWidth && it.innerText?.trim() && !it.matches("[class*=select2], [class*=simplebar]") && (
        hides(style.overflowX) && it.scrollWidth > it.clientWidth + 1 ||
        hides(style.overflowY) && it.scrollHeight > it.clientHeight + 1
    );
}).map(it => it.outerHTML.slice(0, 200))"""
_WIDER = "() => document.documentElement.scrollWidth > innerWidth + 1"
_axe = Axe()


def faults(page: Page) -> list[str]:
    """Return the violations of WCAG 2.2, A and AA, on the page as it is, each with the element that has it."""
    found = _axe.run(page, options=_OPTIONS).response["violations"]
    nodes = [(rule["id"], node) for rule in found for node in rule["nodes"]]
    return [f"{rule}: {node['html'][:200]} ({node['failureSummary']})" for rule, node in nodes]


def cut(page: Page) -> list[str]:
    """Return the elements whose text is cut off, and whether the page is wider than its window."""
    elements: list[str] = page.evaluate(_CUT)
    return [f"cut: {it}" for it in elements] + (["wider than the window"] if page.evaluate(_WIDER) else [])
