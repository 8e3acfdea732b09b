"""The texts of notices: templates, rendered in the language of the recipient."""

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

from billing.models import ApprovalRequest, BillingAccount, Hold
from billing.reason_codes import ReasonCode
from projects.models import Project


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered message; `html` has the same words as `plain`."""

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
    """Render the notice of kind `about` (a value of `Notice.About`) in `language` (BCP 47: en, de).

    `context` has the values of the kind, as `Notice.context` stores them; `project` is None for notices of accounts.
    """
    with translation.override(language):
        values = {**context, **_labels(context), "account": account, "project": project, "language": language}
        name = f"billing/notices/{about}"
        return Text(
            subject=" ".join(render_to_string(f"{name}.subject.txt", values).split()),
            plain=render_to_string(f"{name}.txt", values).strip() + "\n",
            html=render_to_string(f"{name}.html", values),
        )


def _labels(context: dict[str, Any]) -> dict[str, str]:
    """Return labels for the codes in `context`: reason code, action, phase and type of hold."""
    choice_types = {"reason": (ReasonCode, "reasonCode"), "act": (ApprovalRequest.Action, "act")}
    choice_types["phase"] = (ApprovalRequest.Phase, "phase")
    labels = {
        name: str(choices(context[key]).label) for name, (choices, key) in choice_types.items() if context.get(key)
    }
    if hold := context.get("hold"):
        labels["hold_type"] = str(Hold.Type(hold["type"]).label)
    return labels
