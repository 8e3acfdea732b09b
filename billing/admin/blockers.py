"""The closure checklist as a panel: each blocker leads to its object, and to the page that removes it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from billing.admin.wording import and_more
from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    PayerChange,
)
from billing.services.approvals.closures import CLOSABLE, Blocker, BlockerCause, LockedBlocker, blockers
from milo.access import Actor
from milo.admin.messages import refusal_text
from milo.admin.panels import SHOWN, Panel, link
from milo.errors import Invalid, Refused
from projects.models import Organization, Project

Way = tuple[type[Model], Any, str]
"""Where a blocker is removed: a model, the primary key of its object, and the name of the action on its page."""
_KINDS: Mapping[str, tuple[type[Model], str]] = {
    "BillingAccountBinding": (BillingAccountBinding, "name"),
    "PayerChange": (PayerChange, "name"),
    "BillingAccountAffiliation": (BillingAccountAffiliation, "name"),
    "Organization": (Organization, "name"),
    "Charge": (Charge, "name"),
    "Hold": (Hold, "uid"),
    "ApprovalRequest": (ApprovalRequest, "name"),
}
_WAYS: Mapping[str, Callable[[Any], Way]] = {
    "BillingAccountBinding": lambda row: (Project, row.project_id, "bind"),
    "LockedBinding": lambda row: (Project, row.project_id, "unlock-payer"),
    "PayerChange": lambda row: (PayerChange, row.pk, "cancel"),
    "BillingAccountAffiliation": lambda row: (
        (BillingAccountAffiliation, row.pk, "cancel")
        if row.phase == BillingAccountAffiliation.Phase.SCHEDULED
        else (BillingAccount, row.account_id, "place-under")
    ),
    "Organization": lambda row: (Organization, row.pk, "default-account"),
    "Hold": lambda row: (BillingAccount, row.account_id, "request-release"),
    "ApprovalRequest": lambda row: (ApprovalRequest, row.pk, "change"),
}


def checklist(account: BillingAccount, *, besides: ApprovalRequest | None = None, actor: Actor) -> list[Panel]:
    """Return what keeps the account from being closed, in one panel; none in a phase that cannot be closed.

    `besides` is the request for this closure, which is no blocker of itself. What removes a blocker is a link where
    `actor` may do it.
    """
    if account.phase not in CLOSABLE:
        return []
    obstacles = blockers(account, besides=besides)
    listed = obstacles[:SHOWN]
    found = _rows(account, listed)
    rows: list[list[Any]] = [
        [
            capfirst(str(_KINDS[it.type][0]._meta.verbose_name)),
            link(found.get((it.type, it.name)), it.name),
            refusal_text(it.message),
            _fix(it, found.get((it.type, it.name)), account, actor),
            it.who,
        ]
        for it in listed
    ]
    if len(obstacles) > SHOWN:
        rows.append([and_more(len(obstacles) - SHOWN), "", "", "", ""])
    return [
        Panel(
            _("What keeps it from being closed"),
            [_("Kind"), _("Name"), _("What stands in the way"), _("What removes it"), _("Who may")],
            rows,
            nothing=_("Nothing keeps it from being closed."),
        )
    ]


def in_the_way(
    account: BillingAccount, refusal: Refused | None, *, besides: ApprovalRequest | None = None, actor: Actor
) -> list[str]:
    """Return a line for each of the first blockers of a closure, with a link to what removes it.

    They are those of `refusal` if it names any, and are not read again.
    """
    causes = refusal.causes if refusal else ()
    refused = [cause.blocker for cause in causes if isinstance(cause, BlockerCause)]
    listed = (refused or blockers(account, besides=besides))[:SHOWN]
    found = _rows(account, listed)
    return [
        format_html("{}: {}", refusal_text(it.message), _fix(it, found.get((it.type, it.name)), account, actor))
        for it in listed
    ]


def besides_blockers(refusal: Refused) -> Refused:
    """Return a refusal without the causes that the page of the form lists as blockers, in words and with links."""
    others = [cause for cause in refusal.causes if not isinstance(cause, BlockerCause)]
    if len(others) == len(refusal.causes):
        return refusal
    return Invalid(_("It cannot be closed yet: this page lists what stands in the way, and what removes it."), others)


def _rows(account: BillingAccount, obstacles: Iterable[Blocker]) -> dict[tuple[str, str], Any]:
    """Return the objects of blockers by type and name. A query for each type."""
    names: dict[str, list[str]] = {}
    for each in obstacles:
        names.setdefault(each.type, []).append(each.name)
    found: dict[tuple[str, str], Any] = {}
    for kind, listed in names.items():
        model, column = _KINDS[kind]
        rows = model._default_manager.filter(**{f"{column}__in": listed})
        if model in (Charge, Hold):
            rows = rows.filter(account=account)
        elif model is not Organization:
            rows = rows.filter(organization=account.organization_id)
        found.update({(kind, str(getattr(row, column))): row for row in rows})
    return found


def _fix(blocker: Blocker, row: Any, account: BillingAccount, actor: Actor) -> str:
    """Return what removes a blocker, as a link to the page of the action where there is one for `actor`."""
    way = _WAYS.get("LockedBinding" if isinstance(blocker, LockedBlocker) else blocker.type)
    if row is None or way is None:
        return refusal_text(blocker.fix)
    model, key, name = way(row)
    actions = admin.site.get_model_admin(model).object_actions  # type: ignore[attr-defined]
    action = next((each for each in actions if each.name == name), None)
    if action and not action.allowed(actor, account.organization_id):
        return refusal_text(blocker.fix)
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=[key])
    return format_html('<a href="{}" class="text-link underline">{}</a>', page, refusal_text(blocker.fix))
