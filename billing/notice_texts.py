"""The texts of notices: templates, translated into the language of the recipient."""

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

from billing.models import ApprovalRequest, BillingAccount, Hold
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
        values = {**context, **_labels(context), "account": account, "project": project, "language": language}
        name = f"billing/notices/{about}"
        return Text(
            subject=" ".join(render_to_string(f"{name}.subject.txt", values).split()),
            plain=render_to_string(f"{name}.txt", values).strip() + "\n",
            html=render_to_string(f"{name}.html", values),
        )


def _labels(context: dict[str, Any]) -> dict[str, str]:
    """What programs read as one word, in the words of people."""
    words = {"reason": (ReasonCode, "reasonCode"), "act": (ApprovalRequest.Action, "act")}
    words["phase"] = (ApprovalRequest.Phase, "phase")
    labels = {name: str(choices(context[key]).label) for name, (choices, key) in words.items() if context.get(key)}
    if hold := context.get("hold"):
        labels["hold_type"] = str(Hold.Type(hold["type"]).label)
    return labels
