"""Actions on an approval request: those of approvers, and those of its requester while it is pending."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing.access import APPROVALS
from billing.admin.proposals import change
from billing.admin.wording import label, readable
from billing.models import ApprovalRequest
from billing.services.approvals import decisions, requests, reviews
from milo.access import Actor
from milo.admin.actions import Facts
from milo.admin.forms import Paragraph
from milo.admin.panels import instant, lines, link
from milo.admin.resources import SeenAction, SeenForm
from milo.identity.actors import is_deactivated


def requester_of(request: ApprovalRequest) -> str:
    """Return the requester, who took the request over, and a warning if its present owner is deactivated."""
    texts = [request.requester]
    if request.taken_over_by:
        texts.append(_("taken over by %(person)s") % {"person": request.taken_over_by})
    if request.phase == ApprovalRequest.Phase.PENDING and is_deactivated(request.owner):
        texts.append(
            _("%(person)s is deactivated: another person must take the request over") % {"person": request.owner}
        )
    return lines(texts)


class ApproveForm(SeenForm):
    """Send the hash of the review that the page shows, so that only what was read is approved."""

    reviewed_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    comment = Paragraph(max_length=2000, required=False, label=gettext_lazy("Comment"))

    paths = {"spec.comment": "comment", "message": "comment"}


class CommentForm(SeenForm):
    comment = Paragraph(
        max_length=2000, label=gettext_lazy("Comment"), help_text=gettext_lazy("It stays with the request for ever.")
    )

    paths = ApproveForm.paths


class Decision(SeenAction):
    """An action on a request as the person saw it; refused if the request was changed or renewed meanwhile."""

    verb, resource = "create", APPROVALS
    decide: ClassVar[Callable[..., ApprovalRequest]]
    form_class: type[SeenForm] = CommentForm

    @classmethod
    def offered(cls, row: ApprovalRequest) -> bool:
        return row.phase == ApprovalRequest.Phase.PENDING and row.expires_at > timezone.now()

    def facts(self) -> Facts:
        request: ApprovalRequest = self.row
        return [
            (_("Request"), link(request)),
            (_("Action"), request.get_act_display()),
            (_("Billing account"), link(request.account)),
            (_("Requester"), requester_of(request)),
            (_("Justification"), request.justification),
            *([(_("What is proposed"), lines(change(request)))] if request.proposal else []),
            (_("Expires at"), instant(request.expires_at)),
        ]

    def message(self, row: ApprovalRequest) -> str:
        return _("%(name)s: %(phase)s.") % {"name": row.name, "phase": row.get_phase_display()}

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        return type(self).decide(self.row.pk, comment=values["comment"], actor=actor)


class Approve(Decision):
    name = "approve"
    title = gettext_lazy("Approve")
    icon = "check"
    variant = ActionVariant.PRIMARY
    action = "approve"
    form_class = ApproveForm

    def seen(self) -> dict[str, Any]:
        return {**super().seen(), "reviewed_hash": self.row.reviewed_hash}

    def facts(self) -> Facts:
        reviewed = sorted(f"{label(name)}: {readable(value)}" for name, value in self.row.reviewed.items())
        return [*super().facts(), (_("The account as reviewed"), lines(reviewed))]

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        hashed, comment = values["reviewed_hash"], values["comment"]
        return decisions.approve(self.row.pk, reviewed_hash=hashed, comment=comment, actor=actor)

    @classmethod
    def meant_for(cls, actor: Actor, row: ApprovalRequest) -> bool:
        return actor.name not in reviews.requesters(row) | reviews.editors(row.account)


class Reject(Decision):
    name = "reject"
    title = gettext_lazy("Reject")
    icon = "close"
    variant = ActionVariant.DANGER
    action = "reject"
    decide = staticmethod(decisions.reject)


class OwnRequest(Decision):
    """Offered to the owner of the request only: its requester, or who took it over."""

    @classmethod
    def meant_for(cls, actor: Actor, row: ApprovalRequest) -> bool:
        return actor.name == row.owner


class TakeOver(Decision):
    """Offered to everybody who may make requests, once the owner of this one is deactivated."""

    name = "takeover"
    title = gettext_lazy("Take over")
    icon = "move_up"
    action = "takeover"
    decide = staticmethod(requests.takeover)

    @classmethod
    def offered(cls, row: ApprovalRequest) -> bool:
        return super().offered(row) and is_deactivated(row.owner)

    def facts(self) -> Facts:
        will = _("You stand by the request from now on: you may renew or withdraw it, and never approve it.")
        return [*super().facts(), (_("What will happen"), will)]


class Withdraw(OwnRequest):
    name = "withdraw"
    title = gettext_lazy("Withdraw")
    icon = "undo"
    action = "withdraw"
    decide = staticmethod(requests.withdraw)


class Renew(OwnRequest):
    name = "renew"
    title = gettext_lazy("Renew")
    icon = "update"
    action = "renew"
    form_class = SeenForm

    def facts(self) -> Facts:
        will = _("The request stands for the account as it is now, with a new time to decide.")
        return [*super().facts(), (_("What will happen"), will)]

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        return requests.renew(self.row.pk, actor=actor)
