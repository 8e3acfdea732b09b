"""The requests that wait for the decision of the logged-in person, oldest first, and their age."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _

from billing.access import APPROVALS
from billing.models import ApprovalRequest
from milo.access import Actor
from milo.admin.actors import request_actor
from milo.admin.panels import MOST_COUNTED, badge
from milo.compiled_queries import CompiledQuery, Param

OLDEST_FIRST = ("requested_at", "pk")
_NEW = timedelta(days=1)


def decides(actor: Actor) -> bool:
    """Return whether the actor may approve or reject requests at all."""
    return actor.may("create", APPROVALS, None, action="approve")


def to_decide(request: HttpRequest) -> QuerySet[ApprovalRequest]:
    """Return the requests that the logged-in person may approve or reject now."""
    actor = request_actor(request)
    return ApprovalRequest.objects.awaiting(actor.name) if decides(actor) else ApprovalRequest.objects.none()


def number_to_decide(request: HttpRequest) -> int:
    """Return how many `to_decide` are, counted up to `MOST_COUNTED` + 1."""
    actor = request_actor(request)
    if not decides(actor):
        return 0
    return len(_AWAITING.fetch(person=actor.name, at=timezone.now()))


def _awaiting() -> QuerySet[Any]:
    # no more is counted than is shown
    return ApprovalRequest.objects.awaiting(Param("person"), Param("at")).values("pk")[: MOST_COUNTED + 1]


# every page asks
_AWAITING = CompiledQuery(_awaiting)


def neighbors(request: HttpRequest, row: ApprovalRequest) -> tuple[ApprovalRequest | None, ApprovalRequest | None]:
    """Return the requests for the person to decide before and after `row`, oldest first; None at an end."""
    waiting, at = to_decide(request), row.requested_at
    earlier = waiting.filter(Q(requested_at__lt=at) | Q(requested_at=at, pk__lt=row.pk))
    later = waiting.filter(Q(requested_at__gt=at) | Q(requested_at=at, pk__gt=row.pk))
    before = earlier.order_by("-requested_at", "-pk").values("pk")[:1]
    after = later.order_by(*OLDEST_FIRST).values("pk")[:1]
    found = ApprovalRequest.objects.filter(Q(pk=Subquery(before)) | Q(pk=Subquery(after)))
    around = {(each.requested_at, each.pk) > (at, row.pk): each for each in found}
    return around.get(False), around.get(True)


def following(request: HttpRequest, row: ApprovalRequest) -> ApprovalRequest | None:
    """Return the next request for the person to decide after `row`, or else the oldest; None if nothing waits."""
    _before, after = neighbors(request, row)
    return after or to_decide(request).order_by(*OLDEST_FIRST).first()


def age_badge(row: ApprovalRequest) -> str:
    """Return how long a pending request has waited, in words, and in red where it expires soon; a dash otherwise."""
    if row.phase != ApprovalRequest.Phase.PENDING:
        return "-"
    now = timezone.now()
    waited, left, age = now - row.requested_at, row.expires_at - now, timesince(row.requested_at, now, depth=1)
    if left <= timedelta(0):
        return badge(_("%(age)s: expired") % {"age": age}, "danger")
    if waited >= 3 * left:
        return badge(
            _("%(age)s: expires in %(left)s") % {"age": age, "left": timeuntil(row.expires_at, now, depth=1)}, "danger"
        )
    if waited >= left:
        return badge(_("%(age)s: decide soon") % {"age": age}, "warning")
    return (
        badge(_("%(age)s: new") % {"age": age}, "success")
        if waited < _NEW
        else badge(_("%(age)s: waits") % {"age": age}, "info")
    )
