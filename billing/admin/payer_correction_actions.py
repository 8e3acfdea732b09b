"""Request on a project's page that another account should have paid, with sums before and after."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.access import APPROVALS
from billing.admin.project_actions import active_binding, payer_of
from billing.admin.request_actions import RequestForm
from billing.admin.wording import money_in_words, offer_accounts
from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.approvals.requests import request_approval
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import Text, Tick
from milo.admin.panels import lines, link, month_text, number_text
from milo.admin.suggestions import SuggestedRow
from projects.models import Project

_FIELDS = ("project", "since", "until", "evidence")


class CorrectForm(RequestForm):
    account = SuggestedRow(BillingAccount.objects.none(), label=gettext_lazy("Billing account that should have paid"))
    since = Text(
        max_length=40, label=gettext_lazy("From"), help_text=gettext_lazy("An instant, such as 2026-11-01T00:00:00Z.")
    )
    until = Text(
        required=False,
        max_length=40,
        label=gettext_lazy("Until, not included"),
        help_text=gettext_lazy("Empty: until the approval, and the account pays from then on too."),
    )
    evidence = Text(
        required=False,
        max_length=2000,
        label=gettext_lazy("Evidence"),
        help_text=gettext_lazy("Where to find what shows the mistake, such as a ticket."),
    )
    currency_differs = Tick(
        required=False, label=gettext_lazy("The account bills in another currency than one that paid")
    )

    field_order = ("account", "since", "until", "evidence", "currency_differs", "justification")
    paths = {
        **RequestForm.paths,
        ACCOUNT_FIELD: "account",
        **{f"spec.proposal.{name}": name for name in ("since", "until", "evidence")},
        "spec.proposal.currencyDiffers": "currency_differs",
    }
    row: Project

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = BillingAccount.objects.filter(organization_id=self.row.organization_id)
        # an account that is closed may answer for its past
        offer_accounts(self.fields["account"], accounts, accounts.exclude(phase=BillingAccount.Phase.ARCHIVED))


class CorrectPayer(ServiceAction):
    name = "correct-payer"
    title = gettext_lazy("Request correction of the payer")
    icon = "history"
    verb, resource = "create", APPROVALS
    form_class = CorrectForm
    previews = True
    requested: ApprovalRequest

    def facts(self) -> Facts:
        return [
            (_("Project"), link(self.row)),
            (_("Who pays now"), payer_of(active_binding(self.row))),
            (
                _("What will happen"),
                _(
                    "Once a second person approves, the account counts as the payer of that time. Bindings stay; usage"
                    " is restated, and closed months are reversed in the first open one."
                ),
            ),
        ]

    def preview(self, values: dict[str, Any]) -> Facts:
        reviewed = self.requested.reviewed
        paid = [
            f"{each['account'] or _('nobody')}: {each['from']} - {each['until']}" for each in reviewed.get("payers", [])
        ]
        sums = [
            f"{each['account'] or _('nobody')}: {each['service']} {each['meter']}:"
            f" {number_text(each['before'])} \N{RIGHTWARDS ARROW} {number_text(each['after'])} {each['unit']}"
            for each in reviewed.get("usage", [])
        ]
        closed = [f"{name}: {month_text(month)}" for name, month in sorted(reviewed.get("firstOpenMonths", {}).items())]
        charges = [
            f"{each['account']}: {each['name']}: {money_in_words(each['amount'])}"
            for each in reviewed.get("charges", [])
        ]
        return [
            (_("Should have paid"), values["account"].name),
            (_("Who pays for this time now"), lines(paid)),
            (_("Sums before and after"), lines(sums) if sums else _("no usage")),
            (_("First open months, where what moves is billed"), lines(closed) if closed else _("all are open")),
            (_("Charges since then"), lines(charges) if charges else _("none")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        project: Project = self.row
        proposal = {name: value for name in _FIELDS if (value := values.get(name, ""))} | {"project": project.name}
        if values["currency_differs"]:
            proposal["currencyDiffers"] = True
        self.requested = request_approval(
            project.organization_id,
            values["account"].name,
            ApprovalRequest.Action.CORRECT_PAYER,
            justification=values["justification"],
            proposal=proposal,
            actor=actor,
        )
        return self.requested

    def message(self, row: ApprovalRequest) -> str:
        return _("%(request)s awaits the decision of a second person.") % {"request": row}
