"""The Chromium of this machine, which tests and pictures open pages in: nothing downloads one."""

from shutil import which

INSTALL = "install it (on Debian: apt install chromium-headless-shell) and try again"


def chromium() -> str | None:
    """Return the path of the program; None if there is none.

    The shell without windows comes first: it draws nothing of its own beside the page, which takes a quarter less time.
    """
    return which("chromium-headless-shell") or which("chromium") or which("google-chrome")
