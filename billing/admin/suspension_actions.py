"""Actions on suspensions: suspend an account, and resolve one suspension with its evidence."""

from typing import Any

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing.access import ACCOUNTS
from billing.admin.wording import MORE_ACTIONS, and_more, not_in_phase
from billing.models import BillingAccount, Suspension
from billing.reason_codes import EVIDENCE, Category, ReasonCode
from billing.services.suspensions import MAX_EVIDENCE_LENGTH, preview, resolve, suspend
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Day, Paragraph, Select, Text
from milo.admin.panels import SHOWN, lines, link, moment, number_text

DAYS = {"mandateDate": gettext_lazy("Date of the mandate"), "dateLifted": gettext_lazy("Date it was lifted")}
REFERENCES = {
    "settlementReference": gettext_lazy("Settlement reference"),
    "methodReference": gettext_lazy("Reference of the new payment method"),
    "mandateReference": gettext_lazy("Mandate reference"),
    "caseReference": gettext_lazy("Case reference"),
    "repaymentReference": gettext_lazy("Repayment reference"),
    "paymentOrCreditApprovalReference": gettext_lazy("Reference of the payment, or of the credit approval"),
    "taxRegistrationNumber": gettext_lazy("Tax registration number"),
    "registryCheckReference": gettext_lazy("Reference of the check in the registry"),
    "verificationCase": gettext_lazy("Verification case"),
    "complianceOfficer": gettext_lazy("Compliance officer"),
    "clearanceReference": gettext_lazy("Clearance reference"),
    "reviewCase": gettext_lazy("Review case"),
    "outcome": gettext_lazy("Outcome of the review"),
    "region": gettext_lazy("Region"),
    "approvalReference": gettext_lazy("Approval reference"),
    "requester": gettext_lazy("Who asked for it"),
    "ticket": gettext_lazy("Ticket"),
    "documentReference": gettext_lazy("Document reference"),
    "signedAuthority": gettext_lazy("Signed authority"),
    "reviewer": gettext_lazy("Reviewer"),
    "note": gettext_lazy("Note"),
}


def reason_choices() -> list[tuple[str, Any]]:
    """Return the reason codes as choices, grouped by category."""
    by_category: dict[Category, list[tuple[str, Any]]] = {category: [] for category in Category}
    for code in ReasonCode:
        by_category[EVIDENCE[code].category].append((code.value, code.label))
    return [("", ""), *((str(category.label), codes) for category, codes in by_category.items())]


def some(texts: list[str]) -> Any:
    """Return the number of texts and the first `SHOWN` of them, one per line."""
    rest = [and_more(len(texts) - SHOWN)] if len(texts) > SHOWN else []
    return lines([_("%(count)s in all") % {"count": number_text(len(texts))}, *texts[:SHOWN], *rest])


class SuspendForm(ActForm):
    reason_code = Select(choices=reason_choices, label=gettext_lazy("Reason code"))
    message = Paragraph(
        max_length=2000,
        label=gettext_lazy("Message for customers"),
        help_text=gettext_lazy("Every recipient of the notice reads it."),
    )
    internal_note = Paragraph(
        max_length=2000,
        required=False,
        label=gettext_lazy("Internal note"),
        help_text=gettext_lazy("For staff alone; customers never see it."),
    )

    paths = {
        "spec.reasonCode": "reason_code",
        "spec.message": "message",
        "spec.internalNote": "internal_note",
    }


SUSPENDABLE = (BillingAccount.Phase.READY, BillingAccount.Phase.SUSPENDED)


class SuspendAccount(ServiceAction):
    name = "suspend"
    title = gettext_lazy("Suspend")
    icon = "block"
    variant = ActionVariant.DANGER
    verb, resource, action = "create", ACCOUNTS, "suspend"
    form_class = SuspendForm
    previews = True

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return row.phase in SUSPENDABLE

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        return not_in_phase(row, SUSPENDABLE)

    def facts(self) -> Facts:
        return [(_("Billing account"), link(self.row)), (_("Phase"), self.row.get_phase_display())]

    def preview(self, values: dict[str, Any]) -> Facts:
        notice = preview(self.row, reason_code=values["reason_code"], message=values["message"], actor=self.actor)
        return [
            (_("Projects that keep running on it"), some(notice["projects"])),
            (_("Who gets a notice"), some(notice["recipients"])),
            (_("Subject"), notice["subject"]),
            (_("Text of the notice"), lines(notice["text"].splitlines())),
            (_("Internal note"), values["internal_note"] or "-"),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccount:
        return suspend(self.row.pk, **values, actor=actor)

    def message(self, row: BillingAccount) -> str:
        return _("%(account)s is suspended; the notices are on their way.") % {"account": row}

    def level(self, row: BillingAccount) -> int:
        return messages.WARNING


class ResolveForm(ActForm):
    """Require the evidence of the chosen suspension; preselect the one in the address, else the oldest open one."""

    row: BillingAccount
    suspension = Select(
        label=gettext_lazy("Open suspension"),
        help_text=gettext_lazy("Each asks for evidence of its own: choose another, press the button, and fill it in."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Suspension.objects.open().filter(account=self.row).order_by("pk")
        suspensions = {str(suspension.uid): suspension for suspension in rows}
        field = self.fields["suspension"]
        field.choices = [(uid, described(suspension)) for uid, suspension in suspensions.items()]  # type: ignore[attr-defined]
        uid = self.data.get("suspension") or self.initial.get("suspension")
        chosen = suspensions.get(str(uid)) or next(iter(suspensions.values()), None)
        self.initial["suspension"] = str(chosen.uid) if chosen else ""
        required = EVIDENCE[chosen.reason_code].references if chosen else ()
        self.fields |= {name: _evidence_field(name) for name in required}
        self.paths = {"spec.evidence": "suspension", **{f"spec.evidence.{name}": name for name in required}}


def described(suspension: Suspension) -> str:
    """Return the reason of a suspension and since when it is open."""
    return _("%(reason)s, since %(at)s") % {
        "reason": suspension.get_reason_code_display(),
        "at": moment(suspension.suspended_at),
    }


def _evidence_field(name: str) -> Any:
    if name in DAYS:
        return Day(label=DAYS[name])
    return Text(max_length=MAX_EVIDENCE_LENGTH, label=REFERENCES[name])


class ResolveSuspension(ServiceAction):
    name = "resolve-suspension"
    title = gettext_lazy("Resolve suspension")
    icon = "task_alt"
    menu = MORE_ACTIONS
    verb, resource, action = "create", ACCOUNTS, "resolvesuspension"
    form_class = ResolveForm

    @classmethod
    def offered(cls, row: BillingAccount) -> bool:
        return Suspension.objects.open().filter(account=row).exists()

    @classmethod
    def why_not(cls, row: BillingAccount) -> str:
        return _("No suspension is open.")

    def get_initial(self) -> dict[str, Any]:
        return {"suspension": self.request.GET.get("suspension", "")}

    def facts(self) -> Facts:
        return [
            (_("Billing account"), link(self.row)),
            (
                _("What will happen"),
                _("The account stays suspended until an approved request reactivates it."),
            ),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> BillingAccount:
        # str() of a date is ISO 8601, as the evidence is stored
        evidence = {name: str(value) for name, value in values.items() if name != "suspension"}
        return resolve(self.row.pk, values["suspension"], evidence=evidence, actor=actor)
