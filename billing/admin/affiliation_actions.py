"""Actions on accounts under accounts: place an account under another, or alone again, and cancel a plan."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing.access import AFFILIATIONS, CANCEL
from billing.admin.affiliation_request import preview_facts
from billing.admin.wording import MORE_ACTIONS, offer_accounts, read_only_now
from billing.models import ApprovalRequest, BillingAccount, BillingAccountAffiliation
from billing.services.affiliations import rules
from billing.services.affiliations.cancellations import cancel
from billing.services.affiliations.creation import create_affiliation, month_of
from billing.services.affiliations.proposals import propose
from billing.services.affiliations.specs import MONTHS_AHEAD, AffiliationSpec, months_after, present_month
from billing.services.approvals.requests import request_approval
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Paragraph, Select
from milo.admin.panels import link, month_text
from milo.admin.suggestions import SuggestedRow
from milo.dates import parse_month
from milo.kube.names import generated_name

Payer = BillingAccountAffiliation.Payer


class PlaceForm(ActForm):
    """Under which account, who is invoiced, from which month on, and why."""

    parent = SuggestedRow(
        BillingAccount.objects.none(), required=False, label=gettext_lazy("Under which billing account")
    )
    payer = Select(choices=Payer.choices, label=gettext_lazy("Who is invoiced for it"))
    month = Select(
        label=gettext_lazy("From which month on"),
        help_text=gettext_lazy("Months are those of UTC. The present month is for accounts that were never used."),
    )
    reason = Paragraph(
        max_length=2000,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Who approves it reads it; it stays for ever."),
    )

    # what has no field of its own, such as a charge of the account, is about the place that it shall take
    paths = {
        "spec": "parent",
        "spec.payer": "payer",
        "spec.effectiveFrom": "month",
        "spec.proposal.payer": "payer",
        "spec.proposal.effectiveFrom": "month",
        "spec.reason": "reason",
        "spec.justification": "reason",
        "spec.proposal": "parent",
    }
    row: BillingAccount

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = BillingAccount.objects.filter(organization=self.row.organization_id).exclude(pk=self.row.pk)
        ready = others.filter(phase=BillingAccount.Phase.READY)
        alone = _("none: the account stands alone again") if _above(self.row) else ""
        offer_accounts(self.fields["parent"], others, ready, nothing=alone)
        self.fields["parent"].required = not alone
        self.fields["month"].choices = _months(self.row)  # type: ignore[attr-defined]


def _above(account: BillingAccount) -> BillingAccount | None:
    """Return the account that `account` is under now."""
    active = BillingAccountAffiliation.objects.active().filter(account=account).select_related("parent").first()
    return active.parent if active else None


def _months(account: BillingAccount) -> list[tuple[str, str]]:
    """Return the months to choose from; the present one only for an account that was never used."""
    present = present_month()
    first = 1 if rules.used_among([account.pk]) else 0
    months = [f"{months_after(present, number):%Y-%m}" for number in range(first, MONTHS_AHEAD + 1)]
    return [(month, month_text(month)) for month in months]


class PlaceUnder(ServiceAction):
    """Plan an affiliation, or request it where a second person must approve, after a look at what the request says."""

    name = "place-under"
    title = gettext_lazy("Place under another account")
    icon = "account_tree"
    menu = MORE_ACTIONS
    verb, resource = "create", AFFILIATIONS
    previews = True
    form_class = PlaceForm
    row: BillingAccount

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return row.phase not in BillingAccount.READ_ONLY

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        return read_only_now(row)

    def get_initial(self) -> dict[str, Any]:
        above = _above(self.row)
        month = f"{months_after(present_month(), 1):%Y-%m}"
        return {"parent": above.pk if above else None, "payer": Payer.PARENT, "month": month}

    def facts(self) -> Facts:
        plan = BillingAccountAffiliation.objects.scheduled().filter(account=self.row).first()
        return [
            (_("Billing account"), link(self.row)),
            (_("Under which account now"), link(_above(self.row))),
            (_("Who is invoiced for it now"), link(self.row.paid_by or self.row)),
            *([(_("Planned already, and cancelled by another plan"), link(plan))] if plan else []),
            (
                _("Four eyes"),
                _("Where an account that is used gets another payer of record, a second person must approve it."),
            ),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccountAffiliation | ApprovalRequest:
        account, spec = self.row, self.spec(values)
        if self.needs_approval(values):
            return request_approval(
                account.organization_id,
                account.name,
                ApprovalRequest.Action.AFFILIATE,
                justification=spec.reason,
                proposal=self.proposal(values),
                actor=actor,
            )
        above = f"-under-{spec.parent[:25]}" if spec.parent else "-alone"
        name = generated_name(f"{account.name[:25]}{above}-")
        return create_affiliation(account.organization_id, name, spec, actor=actor)

    def spec(self, values: dict[str, Any]) -> AffiliationSpec:
        """Return what is asked for; an account that stands alone pays itself whatever the form says."""
        parent = values["parent"]
        payer = values["payer"] if parent else Payer.SELF
        month = parse_month(values["month"])
        return AffiliationSpec(self.row.name, values["reason"], parent.name if parent else "", payer, month)

    def proposal(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the requested affiliation with the field names of the manifest."""
        spec = self.spec(values)
        parent = {"parentRef": {"name": spec.parent}} if spec.parent else {}
        return {**parent, "payer": spec.payer, "effectiveFrom": values["month"]}

    def needs_approval(self, values: dict[str, Any]) -> bool:
        """Return whether a second person must approve; the service decides in the end."""
        spec = self.spec(values)
        proposed = propose(self.row, values["parent"], spec.paid_by_parent, month_of(spec))
        return bool(rules.approval_causes(proposed.changed_onwards()))

    def preview(self, values: dict[str, Any]) -> Facts:
        """Return what the request for approval says, also where none is needed."""
        request = ApprovalRequest(
            organization_id=self.row.organization_id,
            account=self.row,
            act=ApprovalRequest.Action.AFFILIATE,
            proposal=self.proposal(values),
            justification=values["reason"],
        )
        place = f"{_above(self.row) or '-'} \N{RIGHTWARDS ARROW} {values['parent'] or '-'}"
        facts = preview_facts(request, needed=self.needs_approval(values))
        return [(_("Under which account"), place), (_("From which month on"), month_text(values["month"])), *facts]

    def message(self, row: BillingAccountAffiliation | ApprovalRequest) -> str:
        if isinstance(row, ApprovalRequest):
            return _("%(request)s awaits the decision of a second person.") % {"request": row}
        names = {"account": row.account, "parent": row.parent, "month": month_text(row.effective_from)}
        if row.parent is None:
            return _("%(account)s stands alone from %(month)s on.") % names
        return _("%(account)s is under %(parent)s from %(month)s on.") % names


class CancelForm(ActForm):
    reason = Paragraph(max_length=2000, label=gettext_lazy("Reason"))

    paths = {"spec.reason": "reason"}


class CancelAffiliation(ServiceAction):
    name = "cancel"
    title = gettext_lazy("Cancel the plan")
    icon = "event_busy"
    variant = ActionVariant.DANGER
    verb, resource, action = "create", AFFILIATIONS, CANCEL
    form_class = CancelForm
    row: BillingAccountAffiliation

    @classmethod
    def offered(cls, row: BillingAccountAffiliation) -> bool:
        return row.phase == BillingAccountAffiliation.Phase.SCHEDULED

    def obstacle(self) -> str:
        if self.offered(self.row):
            return ""
        phase = self.row.get_phase_display()
        return _("It is no plan any more: %(phase)s. Create another, which supersedes it.") % {"phase": phase}

    def facts(self) -> Facts:
        plan = self.row
        return [
            (_("Plan"), link(plan)),
            (_("Billing account"), link(plan.account)),
            (_("Parent"), link(plan.parent)),
            (_("Payer"), plan.get_payer_display()),
            (_("From which month on"), month_text(plan.effective_from)),
            (_("What will happen"), _("What is in force now goes on.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccountAffiliation:
        return cancel(self.row.pk, reason=values["reason"], actor=actor)
