"""Actions on suspensions: suspend an account for a reason, preview that, and resolve a suspension with evidence."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from billing.access import ACCOUNTS
from billing.compliance.tax_registrations import Form, TaxRegistration, checked
from billing.models import BillingAccount, Charge, Notice, Suspension
from billing.models.affiliation import projects_invoiced_to
from billing.notice_texts import Text, render
from billing.reason_codes import EVIDENCE, ReasonCode
from billing.services.notices import outbox
from billing.services.payer_changes import facts
from milo import audit, card_numbers, texts
from milo.access import Actor
from milo.errors import Cause, Invalid, NotFound

MAX_EVIDENCE_LENGTH = 500


class SuspensionNotAllowed(Invalid):
    """The account is in a phase that cannot be suspended."""


def suspend(
    account_id: int, *, reason_code: str, message: str, internal_note: str = "", actor: Actor
) -> BillingAccount:
    """Suspend an account, or add another suspension to a suspended one, and queue notices to every bound project.

    The projects of all accounts that it is payer of record of get them too. Customers read `message`, never
    `internal_note`. Existing bindings stay, new ones are refused. Payer changes of the account that are due come first.
    Raises `Forbidden`; `Invalid` for an unknown reason code, without a message, or for a card number or unprintable
    characters in either text; `SuspensionNotAllowed` in any phase but Ready or Suspended; `Unavailable` while a payer
    change takes effect.
    """
    facts.make_due_facts_of(account_id)
    with audit.transaction():
        facts.settle_in_dry_run(account_id)
        account = BillingAccount.objects.locked().get(pk=account_id)
        actor.require("create", ACCOUNTS, account.organization_id, action="suspend")
        # drawn before the question what is due: nothing can become due between it and the suspension
        at = audit.ledger_time(account)
        facts.refuse_due_of(account_id)
        if causes := _suspension_causes(reason_code, message, internal_note):
            raise Invalid.because(causes)
        if account.phase not in (BillingAccount.Phase.READY, BillingAccount.Phase.SUSPENDED):
            raise SuspensionNotAllowed(_("a %(phase)s account cannot be suspended") % {"phase": account.phase})
        account.suspend(reason_code, message)
        audit.save_as(actor, account, reason="BillingAccountSuspended", why=f"{reason_code}: {message}")
        suspension = Suspension(
            account=account,
            reason_code=reason_code,
            message=message,
            internal_note=internal_note,
            payment_profile=account.payment_profile,
            suspended_at=at,
            suspended_by=actor.name,
        )
        audit.save_as(actor, suspension, reason="SuspensionOpened", why=reason_code)
        outbox.queue_suspension(account, suspension, actor=actor)
        return account


def _suspension_causes(reason_code: str, message: str, internal_note: str = "") -> list[Cause]:
    causes = []
    if reason_code not in ReasonCode.values:
        known = ", ".join(ReasonCode.values)
        text = _("must be one of %(known)s") % {"known": known}
        causes.append(Cause("spec.reasonCode", text, "FieldValueNotSupported"))
    if not message.strip():
        causes.append(Cause.required("spec.message"))
    # checked here as well as in audit.save_as, which would name the columns of the account that repeat the message
    for text, path in ((message, "spec.message"), (internal_note, "spec.internalNote")):
        causes += texts.causes(text, path) + card_numbers.causes(text, path)
    return causes


def preview(account: BillingAccount, *, reason_code: str, message: str, actor: Actor) -> dict[str, Any]:
    """Return what `suspend` would do: the projects, the recipients, and subject and text of the first notice.

    Raises `Forbidden` and `Invalid` as `suspend` does. Writes nothing.
    """
    actor.require("create", ACCOUNTS, account.organization_id, action="suspend")
    if causes := _suspension_causes(reason_code, message):
        raise Invalid.because(causes)
    with audit.dry_run(), audit.transaction():
        facts.settle_in_dry_run(account.pk)
        projects = list(projects_invoiced_to(account).order_by("name"))
    recipients = {address for project in projects for address in project.contact_email_addresses}
    context = {"reasonCode": reason_code, "message": message}
    text: Text = render(
        Notice.About.SUSPENDED,
        context,
        account=account,
        project=projects[0] if projects else None,
        language=outbox.language_of(account),
    )
    return {
        "projects": [project.name for project in projects],
        "recipients": sorted(recipients | set(outbox.contacts_of(account))),
        "subject": text.subject,
        "text": text.plain,
    }


def resolve(account_id: int, suspension_uid: UUID, *, evidence: Mapping[str, str], actor: Actor) -> BillingAccount:
    """Resolve one open suspension with the evidence that its reason code requires; the account stays Suspended.

    `evidence` maps names of references to their values. Raises `Forbidden`; `NotFound` if the account has no open
    suspension of that uid; `Invalid` naming every reference that is missing, unknown or too long, and every condition
    of the reason code that does not hold.
    """
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        actor.require("create", ACCOUNTS, account.organization_id, action="resolvesuspension")
        suspension = Suspension.objects.open().filter(account=account, uid=suspension_uid).first()
        if suspension is None:
            raise NotFound(_("the account has no open suspension %(uid)s") % {"uid": suspension_uid})
        if causes := _evidence_causes(suspension, account, evidence):
            raise Invalid.because(causes)
        suspension.evidence = dict(evidence)
        suspension.resolved_at = audit.ledger_time(account)
        suspension.resolved_by = actor.name
        audit.save_as(actor, suspension, reason="SuspensionResolved", why=suspension.reason_code)
        audit.mark_changed(actor, account, reason="SuspensionResolved", why=suspension.reason_code)
        return account


def _evidence_causes(suspension: Suspension, account: BillingAccount, evidence: Mapping[str, str]) -> list[Cause]:
    required = EVIDENCE[suspension.reason_code]
    causes = [
        Cause.required(f"spec.evidence.{name}") for name in required.references if not evidence.get(name, "").strip()
    ]
    causes += [
        Cause(f"spec.evidence.{name}", _("is not asked for by %(code)s") % {"code": suspension.reason_code})
        for name in evidence
        if name not in required.references
    ]
    causes += [
        Cause(f"spec.evidence.{name}", _("is too long"), "FieldValueTooLong")
        for name, value in evidence.items()
        if len(value) > MAX_EVIDENCE_LENGTH
    ]
    causes += _tax_number_causes(account, evidence.get("taxRegistrationNumber", ""))
    if required.nothing_overdue and Charge.objects.filter(account=account).overdue(timezone.now().date()).exists():
        causes.append(Cause("spec.evidence", _("charges of the account are overdue still")))
    profile = account.payment_profile or {}
    if required.new_method and not any(
        evidence.get("methodReference") in details.values() for details in profile.values()
    ):
        causes.append(
            Cause("spec.evidence.methodReference", _("is not the account's payment reference; revise it first"))
        )
    if required.other_method and profile == suspension.payment_profile:
        causes.append(Cause("spec.evidence.methodReference", _("is the method that the account was suspended with")))
    return causes


def _tax_number_causes(account: BillingAccount, number: str) -> list[Cause]:
    """Return a cause if `number` holds a card number, unless it is a valid tax number of a country of the account."""
    preferences, today = account.preferences, timezone.now().date()
    countries = {preferences.country, *(each.country for each in preferences.tax_registrations)} - {""}
    if any(checked(TaxRegistration(country, number), today).form is Form.VALID for country in sorted(countries)):
        return []
    return card_numbers.causes(number, "spec.evidence.taxRegistrationNumber")
