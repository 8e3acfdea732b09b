"""The texts of notices: templates, rendered in the language of the recipient."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from billing.models import ApprovalRequest, BillingAccount, Hold
from billing.reason_codes import ReasonCode
from milo.identity.actors import PERSON
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
        values |= {"account_title": _title(account), "asker": _asker(context), "link": _link(context)}
        name = f"billing/notices/{about}"
        return Text(
            subject=" ".join(render_to_string(f"{name}.subject.txt", values).split()),
            plain=render_to_string(f"{name}.txt", values).strip() + "\n",
            html=render_to_string(f"{name}.html", values),
        )


def _title(account: BillingAccount) -> str:
    return f"{account.display_name} ({account.name})" if account.display_name else account.name


def _asker(context: dict[str, Any]) -> str:
    """Return who asked for approval, by name; a user without one, or a program, by that of the actor."""
    requester, name = str(context.get("requester", "")).removeprefix(PERSON), context.get("requesterName")
    return f"{name} ({requester})" if name else requester


def _link(context: dict[str, Any]) -> str:
    """Return the URL of the request that the notice is about; "" without one, or without MILO_STAFF_URL."""
    if not settings.MILO_STAFF_URL or not context.get("request"):
        return ""
    return f"{settings.MILO_STAFF_URL}{reverse('admin:billing_approvalrequest_change', args=[context['request']])}"


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
