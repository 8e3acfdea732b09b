"""People at the staff site, by mouse or by keyboard: a journey is written once and goes by either."""

from typing import Protocol

from playwright.sync_api import Locator, Page, expect

# more stops of the Tab key than these on the way to one thing, and nobody goes there by keyboard
MOST_STOPS = 30
BOX, OPTION = ".select2-selection", ".select2-results__option"


class Hand(Protocol):
    """What a person does on `page`; `clicks` counts what they press."""

    page: Page
    clicks: int

    def press(self, target: Locator) -> None:
        """Press a link or a button."""

    def write(self, target: Locator, text: str) -> None:
        """Type into a field."""

    def choose(self, target: Locator, text: str) -> None:
        """Choose an option of a select by its text."""

    def tick(self, target: Locator) -> None:
        """Tick a check box."""

    def find(self, target: Locator, text: str) -> None:
        """Choose from a box that is searched by typing."""


class Mouse:
    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def press(self, target: Locator) -> None:
        target.click()
        self.clicks += 1

    def write(self, target: Locator, text: str) -> None:
        target.fill(text)

    def choose(self, target: Locator, text: str) -> None:
        target.select_option(label=text)

    def tick(self, target: Locator) -> None:
        target.check()

    def find(self, target: Locator, text: str) -> None:
        target.click()
        self.page.keyboard.type(text)
        self.page.locator(OPTION, has_text=text).first.click()


class Keyboard:
    """Reaches everything by the Tab key, from where it is or from the link that skips the side bar."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def press(self, target: Locator) -> None:
        self._reach(target)
        self.page.keyboard.press("Enter")
        self.clicks += 1

    def write(self, target: Locator, text: str) -> None:
        self._reach(target)
        # what is there is replaced, as where a field is typed over
        self.page.keyboard.press("Control+A")
        if target.get_attribute("type") == "date":
            year, month, day = text.split("-")
            text = f"{month}{day}{year}"
        self.page.keyboard.type(text)

    def choose(self, target: Locator, text: str) -> None:
        self._reach(target)
        self.page.keyboard.type(text)
        expect(target.locator("option:checked")).to_have_text(text)

    def tick(self, target: Locator) -> None:
        self._reach(target)
        self.page.keyboard.press("Space")
        expect(target).to_be_checked()

    def find(self, target: Locator, text: str) -> None:
        self._reach(target)
        self.page.keyboard.press("Enter")
        self.page.keyboard.type(text)
        expect(self.page.locator(OPTION, has_text=text).first).to_be_visible()
        self.page.keyboard.press("Enter")

    def _reach(self, target: Locator) -> None:
        expect(target).to_be_visible()
        if self._is_at("body") and not _in(target, "#nav-sidebar"):
            self.page.keyboard.press("Tab")
            self.page.keyboard.press("Enter")
            expect(self.page.get_by_role("main")).to_be_focused()
        # buttons of the page stand right before its main part
        key = "Shift+Tab" if self._is_at("main") and _in(target, "header") else "Tab"
        for _stop in range(MOST_STOPS):
            if target.evaluate("it => it === document.activeElement"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{target} is more than {MOST_STOPS} stops away")

    def _is_at(self, part: str) -> bool:
        there: bool = self.page.evaluate("part => document.activeElement.matches(part)", part)
        return there


def _in(target: Locator, part: str) -> bool:
    inside: bool = target.evaluate("(it, part) => Boolean(it.closest(part))", part)
    return inside


def type_into_palette(page: Page, text: str) -> None:
    """Type into the palette that was opened: once its box has the focus, or the first letters are lost."""
    expect(page.locator("#search-input-command")).to_be_focused()
    page.keyboard.type(text)
