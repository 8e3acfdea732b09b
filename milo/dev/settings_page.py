"""`python -m milo.dev.settings_page`: write docs/settings.md of the declared variables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from milo.settings.environment import BASE_DIR, GROUPS
from milo.settings.variables import Variable, variables

PAGE: Path = BASE_DIR / "docs/settings.md"
_HEAD = """# Settings

Written by `.venv/bin/python -m milo.dev.settings_page` of `milo/settings/groups.py`; a test compares the two.

Milo reads its settings from the environment, once, when a process starts. A value that is not accepted ends the process
with a line for each fault: the variable, what was given, and what is accepted. So does a variable that begins with
`MILO_` and stands not below, so that a misspelt one is no silent default; addresses of Services that Kubernetes adds
(`MILO_SERVICE_HOST`) are passed over. An empty value is an unset one, but for `MILO_SECRET_KEY`.

A variable marked *secret* is never repeated in a message, and can be read from a file: `MILO_SECRET_KEY_FILE` names a
file with the value of `MILO_SECRET_KEY`, less the line feed at its end. To set both is refused.
"""


def page() -> str:
    """Return docs/settings.md as it should be."""
    return "\n".join([_HEAD, *(line for name, group in GROUPS.items() for line in _section(name, group))])


def _section(name: str, group: type[Any]) -> Iterator[str]:
    yield from (f"## {name.capitalize()}", "", group.__doc__ or "", "")
    yield from ("| Variable | Accepted | Default | Meaning |", "|---|---|---|---|")
    for declared in variables(group):
        yield _row(declared)
    yield ""


def _row(declared: Variable) -> str:
    name = f"`{declared.name}`" + (" *secret*" if declared.secret else "")
    return f"| {name} | {declared.format.accepted} | {declared.shown} | {declared.meaning} |"


if __name__ == "__main__":
    PAGE.write_text(page())
