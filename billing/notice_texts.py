"""The texts of notices: templates, translated into the language of the recipient."""

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

from billing.models import BillingAccount
from billing.reason_codes import ReasonCode
from projects.models import Project


@dataclass(frozen=True, slots=True)
class Text:
    """A message as its recipient reads it; `html` says the same as `plain`."""

    subject: str
    plain: str
    html: str


def render(
    about: str,
    context: dict[str, Any],
    *,
    account: BillingAccount,
    project: Project | None = None,
    language: str = "en",
) -> Text:
    """The text of a notice `about` something (a `Notice.About` value), in `language` (BCP 47: en, de)."""
    with translation.override(language):
        code = context.get("reasonCode")
        values = {
            **context,
            "account": account,
            "project": project,
            "reason": ReasonCode(code).label if code else "",
        }
        name = f"billing/notices/{about}"
        return Text(
            subject=" ".join(render_to_string(f"{name}.subject.txt", values).split()),
            plain=render_to_string(f"{name}.txt", values).strip() + "\n",
            html=render_to_string(f"{name}.html", values),
        )
