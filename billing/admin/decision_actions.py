"""Actions on an approval request: those of approvers, and those of its requester while it is pending."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing.access import APPROVALS
from billing.admin.blockers import besides_blockers, in_the_way
from billing.admin.decision_queue import following
from billing.admin.proposals import change, reviewed_on_lines
from billing.admin.wording import label
from billing.models import ApprovalRequest
from billing.services.approvals import decisions, effects, requests
from milo.access import Actor
from milo.admin.actions import Facts
from milo.admin.forms import Paragraph
from milo.admin.messages import refusal_text
from milo.admin.panels import address, instant, lines, link
from milo.admin.resources import SeenAction, SeenForm
from milo.errors import Refused
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


def stale_text(request: ApprovalRequest) -> str:
    """Return what to do about a stale request, and who does it."""
    message = _("The account has changed since it was reviewed. Nobody can approve this until %(owner)s renews it.")
    return message % {"owner": request.owner}


class ApproveForm(SeenForm):
    """Send the hash of the review that the page shows, so that only what was read is approved."""

    reviewed_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    comment = Paragraph(
        max_length=2000,
        required=False,
        label=gettext_lazy("Comment"),
        help_text=gettext_lazy("A rejection needs one. It stays with the request for ever."),
    )

    paths = {"spec.comment": "comment", "message": "comment"}

    def refuse(self, refusal: Refused) -> None:
        """Show a stale review in words: each field by its label, before and now."""
        if not isinstance(refusal, decisions.StaleReview) or not refusal.changed:
            super().refuse(besides_blockers(refusal))
            return
        self.add_error(None, refusal_text(refusal.message))
        for name, before, after in refusal.changed:
            was, now = ("; ".join(reviewed_on_lines(name, value)) for value in (before, after))
            self.add_error(None, f"{label(name)}: {was} \N{RIGHTWARDS ARROW} {now}")


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
            (_("What changes"), lines(change(request))),
            (_("Expires at"), instant(request.expires_at)),
        ]

    def message(self, row: ApprovalRequest) -> str:
        return _("%(name)s: %(phase)s.") % {"name": row.name, "phase": row.get_phase_display()}

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        return type(self).decide(self.row.pk, comment=values["comment"], actor=actor)


class DecideAction(Decision):
    """An approval or rejection, on the page of the request; the page of the next one follows."""

    on_page = True

    def obstacle(self) -> str:
        return decisions.obstacles(self.row, actor=self.actor)[self.action]

    def finish(self, row: ApprovalRequest) -> HttpResponse:
        text = format_html("{}: {}", link(row), row.get_phase_display())
        messages.success(self.request, text)
        return HttpResponseRedirect(address(following(self.request, row) or row))


class Approve(DecideAction):
    name = "approve"
    title = gettext_lazy("Approve")
    icon = "check"
    variant = ActionVariant.PRIMARY
    action = "approve"
    form_class = ApproveForm

    def seen(self) -> dict[str, Any]:
        return {**super().seen(), "reviewed_hash": self.row.reviewed_hash}

    def facts(self) -> Facts:
        texts = ((label(name), "; ".join(reviewed_on_lines(name, value))) for name, value in self.row.reviewed.items())
        reviewed = lines(sorted(": ".join(pair) for pair in texts))
        facts = [*super().facts(), (_("The account as reviewed"), reviewed)]
        if self.row.act == ApprovalRequest.Action.CLOSE:
            obstacles = in_the_way(self.row.account, self.refusal, besides=self.row, actor=self.actor)
            facts += [(_("What stands in the way"), lines(obstacles))] if obstacles else []
        return facts

    def obstacle(self) -> str:
        stale = effects.changes_since_review(self.row.account, self.row)
        return super().obstacle() or (stale_text(self.row) if stale else "")

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        hashed, comment = values["reviewed_hash"], values["comment"]
        return decisions.approve(self.row.pk, reviewed_hash=hashed, comment=comment, actor=actor)


class Reject(DecideAction):
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
