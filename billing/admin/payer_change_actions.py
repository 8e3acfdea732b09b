"""Actions on payer changes: move projects, with a preview, cancel, and retry."""

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing.access import CANCEL, PAYER_CHANGES, RETRY
from billing.admin.payer_change_forms import (
    CancelForm,
    MoveFromAccountForm,
    MoveListedForm,
    MoveOfOrganizationForm,
    RetryForm,
)
from billing.admin.wording import MORE_ACTIONS, quantity, read_only_now
from billing.models import ApprovalRequest, BillingAccount, PayerChange, PayerChangeItem
from billing.services.approvals.requests import request_approval
from billing.services.payer_changes import outcomes
from billing.services.payer_changes.cancellations import cancel
from billing.services.payer_changes.creation import ApprovalNeeded, create_payer_change
from billing.services.payer_changes.previews import Preview, preview_of_change, preview_of_names
from billing.services.payer_changes.retries import retry
from billing.services.payer_changes.sets import PayerChangeSpec
from milo import audit
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.messages import refusal_text
from milo.admin.panels import lines, link, moment, number_text
from milo.kube.names import generated_name
from projects.models import Project

SELECTED = "selected"
"""The parameter of the page that has the primary keys of projects selected in the list."""
SELECTED_AT_MOST = 1000
_KEY = re.compile("[0-9]{1,18}")


class MoveProjects(ServiceAction):
    """Create a payer change after a look at what would move, or request it where a second person must approve."""

    name = "move-projects"
    title = gettext_lazy("Move projects")
    icon = "move_up"
    variant = ActionVariant.DEFAULT
    verb, resource = "create", PAYER_CHANGES
    previews = True
    shown: Preview | None = None
    requests = False
    """Whether a second person must approve, so that a request is what is created."""

    def organization(self, values: dict[str, Any]) -> int:
        """Return the primary key of the organization of the projects."""
        raise NotImplementedError

    def get_initial(self) -> dict[str, Any]:
        return {"name": generated_name("move-")}

    def call(self, values: dict[str, Any], *, actor: Actor) -> PayerChange | ApprovalRequest:
        source, named = self.source(values), values.get("projects") or ()
        spec = PayerChangeSpec(
            account=values["account"].name,
            reason=values["reason"],
            projects=None if source else named,
            source=source,
            effective_at=values["effective_at"],
            atomic=values["atomic"],
        )
        organization_id = self.organization(values)
        try:
            with audit.transaction():
                change = create_payer_change(organization_id, values["name"], spec, actor=actor)
                if audit.is_dry_run():
                    self.shown = preview_of_change(change)
            return change
        except ApprovalNeeded:
            return self.request_move(organization_id, values["name"], spec, actor)

    def request_move(self, organization_id: int, name: str, spec: PayerChangeSpec, actor: Actor) -> ApprovalRequest:
        """Request the approval of a second person, who reads the reason as justification."""
        self.requests = True
        request = request_approval(
            organization_id,
            spec.account,
            ApprovalRequest.Action.MOVE_PAYERS,
            justification=spec.reason,
            proposal={"payerChange": spec.as_json()},
            name=name,
            actor=actor,
        )
        if audit.is_dry_run():
            self.shown = preview_of_names(organization_id, request.reviewed["projects"], request.account)
        return request

    def source(self, values: dict[str, Any]) -> str:
        """Return the name of the account whose projects move; empty if they are named."""
        return values["source"].name if values.get("source") else ""

    def preview(self, values: dict[str, Any]) -> Facts:
        assert self.shown
        approval = _("A second person must approve it.") if self.requests else _("not needed")
        return [*preview_facts(self.shown), (_("Approval"), approval)]

    def message(self, row: PayerChange | ApprovalRequest) -> str:
        if isinstance(row, ApprovalRequest):
            return _("%(request)s awaits the decision of a second person.") % {"request": row}
        if row.at_once:
            return _("The projects move to %(account)s now, in the background.") % {"account": row.account}
        names = {"account": row.account, "at": moment(row.effective_at)}
        return _("The projects move to %(account)s on %(at)s.") % names


class MoveFromAccount(MoveProjects):
    menu = MORE_ACTIONS
    form_class = MoveFromAccountForm

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return row.phase not in BillingAccount.READ_ONLY

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        return read_only_now(row)

    def facts(self) -> Facts:
        return [(_("Projects"), _("all that %(account)s pays for") % {"account": self.row})]

    def organization(self, values: dict[str, Any]) -> int:
        organization_id: int = self.row.organization_id
        return organization_id

    def source(self, values: dict[str, Any]) -> str:
        return str(self.row.name)


class MoveOfOrganization(MoveProjects):
    form_class = MoveOfOrganizationForm

    def organization(self, values: dict[str, Any]) -> int:
        organization_id: int = self.row.pk
        return organization_id


class MoveListed(MoveProjects):
    """Offered in the list of projects, for those that are selected there, or named."""

    form_class = MoveListedForm

    def get_initial(self) -> dict[str, Any]:
        keys = [key for key in self.request.GET.getlist(SELECTED) if _KEY.fullmatch(key)][:SELECTED_AT_MOST]
        projects = Project.objects.filter(pk__in=keys).order_by("name")
        names, organizations = [], set()
        for name, organization_id in projects.values_list("name", "organization"):
            names.append(name)
            organizations.add(organization_id)
        # of several organizations the person chooses one, and is told which projects are of another
        of_one = {"organization": organizations.pop()} if len(organizations) == 1 else {}
        return {**super().get_initial(), "projects": names, **of_one}

    def organization(self, values: dict[str, Any]) -> int:
        organization_id: int = values["organization"].pk
        return organization_id


def preview_facts(preview: Preview) -> Facts:
    """Return a preview as labelled facts."""
    usage = [f"{each.service} {each.meter}: {quantity(each.last_30_days, each.unit)}" for each in preview.usage]
    refused = [f"{each.project}: {refusal_text(each.message)}" for each in (*preview.locked, *preview.refused)]
    return [
        (_("Projects that move"), preview.projects),
        (_("Who pays now"), lines(f"{name}: {number}" for name, number in preview.payers)),
        (_("Unbound"), lines(preview.unbound)),
        (_("Cannot move"), lines(refused)),
        (_("Usage of the last 30 days"), lines(usage)),
        (_("Usage of this month"), lines(usage_of_month(preview))),
        *change_facts(preview),
        (_("Will take effect"), refusal_text(preview.obstacle) or _("yes")),
        (_("Not included"), lines(preview.not_included)),
    ]


def usage_of_month(preview: Preview) -> list[str]:
    """Return the usage of this month by meter."""
    return [f"{each.service} {each.meter}: {quantity(each.present_month, each.unit)}" for each in preview.usage]


def change_facts(preview: Preview) -> Facts:
    """Return the facts that any change of a payer has: currencies, and what regional rules find."""
    return [
        (_("Currency before and after"), f"{', '.join(preview.currencies) or '-'} → {preview.currency_after}"),
        (_("Regional rules"), lines(refusal_text(each["message"]) for each in preview.findings)),
    ]


class CancelPayerChange(ServiceAction):
    name = "cancel"
    title = gettext_lazy("Cancel the payer change")
    icon = "event_busy"
    variant = ActionVariant.DANGER
    verb, resource, action = "create", PAYER_CHANGES, CANCEL
    form_class = CancelForm

    @classmethod
    def offered(cls, row: PayerChange) -> bool:
        return row.phase in PayerChange.OPEN

    def facts(self) -> Facts:
        counts = outcomes.counts_of(self.row)
        return [
            (_("Payer change"), link(self.row)),
            (_("Moved already, and stay moved"), counts[PayerChangeItem.Phase.DONE]),
            (_("Have not moved"), counts[PayerChangeItem.Phase.PENDING]),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> PayerChange:
        return cancel(self.row.pk, reason=values["reason"], projects=values["projects"] or None, actor=actor)


class RetryPayerChange(ServiceAction):
    name = "retry"
    title = gettext_lazy("Retry failed projects")
    icon = "replay"
    variant = ActionVariant.PRIMARY
    verb, resource, action = "create", PAYER_CHANGES, RETRY
    form_class = RetryForm

    @classmethod
    def offered(cls, row: PayerChange) -> bool:
        return row.phase in PayerChange.RETRIABLE

    def facts(self) -> Facts:
        return [
            (_("Payer change"), link(self.row)),
            (_("Failed projects"), number_text(self.row.failed or 0)),
            (_("Effective"), _("from now on; nothing is backdated")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> PayerChange:
        return retry(self.row.pk, reason=values["reason"], actor=actor)
