"""Actions that request an approval: a button for each action that the phase of the account allows."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.access import APPROVALS
from billing.admin.blockers import besides_blockers, in_the_way
from billing.admin.terms_form import TermsFields, initial_terms, terms_of, terms_paths
from billing.admin.wording import not_in_phase
from billing.models import ApprovalRequest, BillingAccount, Hold, Suspension
from billing.services import redating
from billing.services.approvals.closures import CLOSABLE
from billing.services.approvals.requests import request_approval
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Paragraph, Select
from milo.admin.panels import lines, link
from milo.admin.suggestions import SuggestedRow
from milo.errors import Refused
from projects.models import Project

Action, Phase = ApprovalRequest.Action, BillingAccount.Phase


class RequestForm(ActForm):
    justification = Paragraph(
        max_length=2000,
        label=gettext_lazy("Justification"),
        help_text=gettext_lazy("Who decides reads it; it stays for ever."),
    )

    paths = {"spec.justification": "justification"}


class TermsForm(TermsFields, RequestForm):
    field_order = (*TermsFields.base_fields, "justification")
    paths = {**RequestForm.paths, **terms_paths("spec.proposal.paymentTerms")}


class ReleaseForm(RequestForm):
    hold = Select(label=gettext_lazy("Hold to release"))

    field_order = ("hold", "justification")
    paths = {**RequestForm.paths, "spec.proposal.hold": "hold"}
    row: BillingAccount

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        holds = Hold.objects.open().filter(account=self.row).order_by("pk")
        choices = [
            (str(hold.uid), ": ".join(filter(None, (hold.get_type_display(), hold.message, hold.reason))))
            for hold in holds
        ]
        self.fields["hold"].choices = choices  # type: ignore[attr-defined]


class ClosureForm(RequestForm):
    row: BillingAccount

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal without what the page above the form says."""
        super().refuse(besides_blockers(refusal))


class RequestAction(ServiceAction):
    """A request for approval. Subclasses set the requested action and the phases in which it is offered."""

    asks_for: ClassVar[ApprovalRequest.Action]
    phases: ClassVar[tuple[BillingAccount.Phase, ...]]

    icon = "how_to_reg"
    menu = gettext_lazy("Request approval")
    verb, resource = "create", APPROVALS
    form_class = RequestForm

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return row.phase in cls.phases

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        return not_in_phase(row, cls.phases)

    def proposal(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the requested change with the field names of the manifest."""
        return {}

    def facts(self) -> Facts:
        return [
            (_("Billing account"), link(self.row)),
            (_("Phase"), self.row.get_phase_display()),
            (_("What will happen"), _("It takes effect the moment a second person approves it, and not before.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        account: BillingAccount = self.row
        return request_approval(
            account.organization_id,
            account.name,
            self.asks_for,
            justification=values["justification"],
            proposal=self.proposal(values),
            actor=actor,
        )

    def message(self, row: ApprovalRequest) -> str:
        return _("%(request)s awaits the decision of a second person.") % {"request": row}


class RequestReactivation(RequestAction):
    name = "request-reactivation"
    title = gettext_lazy("Request reactivation")
    asks_for, phases = Action.REACTIVATE, (Phase.SUSPENDED,)

    def facts(self) -> Facts:
        suspensions = Suspension.objects.open().filter(account=self.row).order_by("pk")
        reasons = lines(suspension.get_reason_code_display() for suspension in suspensions)
        return [*super().facts(), (_("Open suspensions, to be resolved first"), reasons)]


class RequestClosure(RequestAction):
    name = "request-closure"
    title = gettext_lazy("Request closure")
    asks_for, phases = Action.CLOSE, CLOSABLE
    form_class = ClosureForm

    def facts(self) -> Facts:
        obstacles = lines(in_the_way(self.row, self.refusal, actor=self.actor))
        return [(_("What stands in the way"), obstacles), *super().facts()]


class RequestReopening(RequestAction):
    name = "request-reopening"
    title = gettext_lazy("Request reopening")
    asks_for, phases = Action.REOPEN, (Phase.CLOSED,)


class RequestTerms(RequestAction):
    name = "request-terms"
    title = gettext_lazy("Request other terms")
    asks_for = Action.REVISE_TERMS
    phases = (Phase.PROVISIONING, Phase.INCOMPLETE, Phase.READY, Phase.SUSPENDED)
    form_class = TermsForm

    def get_initial(self) -> dict[str, Any]:
        return initial_terms(self.row.payment_terms)

    def proposal(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"paymentTerms": terms_of(values).as_json()}


class RequestRelease(RequestAction):
    name = "request-release"
    title = gettext_lazy("Request release of a hold")
    asks_for = Action.RELEASE_HOLD
    form_class = ReleaseForm

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return Hold.objects.open().filter(account=row).exists()

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        return _("No hold is open.")

    def proposal(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"hold": values["hold"]}


class RedateForm(RequestForm):
    project = SuggestedRow(Project.objects.none(), label=gettext_lazy("Project"))

    field_order = ("project", "justification")
    paths = {**RequestForm.paths, redating.FIELD: "project"}
    row: BillingAccount

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = redating.redatable(self.row)  # type: ignore[attr-defined]


class RequestRedating(RequestAction):
    """Offered where a wrong clock has dated the newest binding of a project in the future."""

    name = "request-redating"
    title = gettext_lazy("Request redating of bindings")
    asks_for = Action.REDATE_BINDINGS
    form_class = RedateForm

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return row.phase not in BillingAccount.READ_ONLY and redating.redatable(row).exists()

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        # a wrong clock is no matter of every day
        return ""

    def facts(self) -> Facts:
        will = _("Starts and ends in the future move to the instant of the approval. Usage from then on follows.")
        return [*super().facts(), (_("What an approval does"), will)]

    def proposal(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"project": values["project"].name}


REQUESTS = (RequestReactivation, RequestClosure, RequestReopening, RequestTerms, RequestRelease, RequestRedating)
