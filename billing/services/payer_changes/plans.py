"""What is planned for a project, and why that refuses other acts."""

from collections.abc import Iterable
from datetime import datetime, time

from django.utils.translation import gettext as _

from billing.models import PayerChangeItem
from billing.models.payer_change_item import PayerChangeItemQuerySet
from milo import card_numbers, texts
from milo.compiled_queries import CompiledQuery, Param
from milo.errors import Cause
from milo.kube.store.manifests import instant

REASON_FIELD = "spec.reason"


def _pending() -> PayerChangeItemQuerySet:
    # names alone: the many columns of an account would dominate the query
    shown = ("effective_at", "change__name", "change__atomic", "change__account__name", "project__name")
    return PayerChangeItem.objects.pending().select_related("change__account", "project").only(*shown)


_OF_PROJECT = CompiledQuery(lambda: _pending().filter(project=Param("project")))


def open_item(project_id: int) -> PayerChangeItem | None:
    """Return the open item of a project, with its change, account and project; None if nothing is planned."""
    return _OF_PROJECT.first(project=project_id)


def open_items(projects: Iterable[int]) -> dict[int, PayerChangeItem]:
    """Return the open items of `projects` (primary keys) by project, with changes, accounts and projects."""
    return {item.project_id: item for item in _pending().filter(project__in=projects)}


def refusal(item: PayerChangeItem) -> str:
    """Return the refusal of an act that what is planned for the project forbids."""
    message = _("project %(project)s moves to %(account)s on %(at)s by payer change %(change)s: cancel that first")
    names = {"project": item.project.name, "account": item.change.account.name, "change": item.change.name}
    return message % {**names, "at": day_or_instant(item.effective_at)}


def reason_causes(reason: str) -> list[Cause]:
    """Return every fault of the reason that somebody gives for an act on a payer change."""
    if not reason.strip():
        return [Cause.required(REASON_FIELD)]
    return texts.causes(reason, REASON_FIELD) + card_numbers.causes(reason, REASON_FIELD)


def day_or_instant(at: datetime) -> str:
    """Return an instant (UTC) as people read it: the day alone where it is the first instant of that."""
    return at.date().isoformat() if at.time() == time() else instant(at)
