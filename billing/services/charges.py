"""Actions on charges: an external billing system reports them, and their settlement."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from django.utils.translation import gettext as _

from billing.access import CHARGES
from billing.features import CHARGE_REPORTING
from billing.models import BillingAccount, Charge
from billing.models.affiliation import payer_of_record
from billing.services.accounts import ACCOUNT_FIELD, missing_account
from billing.services.affiliations import facts as affiliations
from billing.services.affiliations.specs import present_month
from billing.terms.payment_amounts import minor_unit, money_text
from milo import audit, feature_gates
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Conflict, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import name_causes
from milo.kube.store import managers

SUB_ACCOUNT_FIELD, MONTH_FIELD = "spec.subAccountRef.name", "spec.month"


@dataclass(frozen=True, slots=True)
class ChargeSpec:
    """A charge as reported: `amount` in `currency_code` (ISO 4217), `due_date` a calendar day.

    `sub_account` is the name of the account whose usage it is for, `month` the first day of the month of that usage.
    """

    external_id: str
    amount: Decimal
    currency_code: str
    due_date: date
    description: str = ""
    sub_account: str = ""
    month: date | None = None

    @classmethod
    def of(cls, charge: Charge) -> "ChargeSpec":
        """Return the spec with which `charge` was reported."""
        return cls(
            charge.external_id,
            charge.amount,
            charge.currency_code,
            charge.due_date,
            charge.description,
            charge.sub_account.name if charge.sub_account else "",
            charge.month,
        )

    def causes(self, account: BillingAccount) -> list[Cause]:
        """Return every fault of the charge as one of `account`."""
        causes = [] if self.external_id.strip() else [Cause.required("spec.externalId")]
        if self.currency_code != account.currency_code:
            message = _("must be %(code)s, the currency of the account") % {
                "code": account.currency_code or _("none yet")
            }
            causes.append(Cause("spec.currencyCode", message))
            return causes
        if self.amount <= 0:
            causes.append(Cause("spec.amount", _("must be more than zero")))
        unit = minor_unit(self.currency_code)
        if self.amount != self.amount.quantize(unit):
            message = _("may have %(units)d decimal places in %(code)s")
            causes.append(Cause("spec.amount", message % {"units": -unit.adjusted(), "code": self.currency_code}))
        return causes


def report_charge(
    organization_id: int,
    account: str,
    spec: ChargeSpec,
    *,
    name: str = "",
    metadata: Metadata = Metadata(),
    actor: Actor,
) -> Charge:
    """Report an outstanding charge of the account named `account`. Idempotent: the same content again changes nothing.

    The account is payer of record, of itself and of the sub-account that the charge names, in the month of the charge,
    by default the present one. `name` is generated if empty. Raises `Forbidden`; `Invalid` for a missing or read-only
    account, one that another pays for, a month to come, another currency, an amount that is not positive, or too many
    decimal places; `AlreadyExists` if a charge with other content has the name; `Conflict` if the external id is known
    with other content; `FeatureDisabled`.
    """
    actor.require("create", CHARGES, organization_id)
    feature_gates.require(CHARGE_REPORTING)
    # whoever is payer of record from this month on owes it, also before the worker has said so
    with affiliations.transaction(organization_id):
        debtor, sub_account = _lock_accounts(organization_id, account, spec.sub_account)
        name = name or f"charge-{uuid4()}"
        causes = name_causes(name) + metadata.causes()
        known = Charge.objects.filter(account=debtor, external_id=spec.external_id).first()
        # a repeat with an invalid name or metadata is refused below, as the first report would have been
        if not causes:
            if known and ChargeSpec.of(known) == spec:
                return known
            if Charge.objects.filter(organization_id=organization_id, name=name).exists():
                raise AlreadyExists(_("charge %(name)s already exists") % {"name": name})
            if known:
                raise Conflict(_("charge %(id)s was reported with other content") % {"id": spec.external_id})
        causes += spec.causes(debtor)
        if debtor.phase in BillingAccount.READ_ONLY:
            causes.append(Cause(ACCOUNT_FIELD, _("the account is closed")))
        causes += _payer_causes(debtor, sub_account, spec)
        if causes:
            raise Invalid.because(causes)
        charge = Charge(
            organization_id=organization_id,
            account=debtor,
            sub_account=sub_account,
            month=spec.month,
            name=name,
            external_id=spec.external_id,
            amount=spec.amount,
            currency_code=spec.currency_code,
            due_date=spec.due_date,
            description=spec.description,
        )
        metadata.put_on(charge)
        money = money_text(spec.amount, spec.currency_code)
        return audit.save_as(actor, charge, reason="ChargeReported", why=money, generated=True)


def _lock_accounts(organization_id: int, account: str, below: str) -> tuple[BillingAccount, BillingAccount | None]:
    """Lock the account that owes and the one `below` whose usage it owes for, which must not leave it meanwhile."""
    names = {account, below}
    rows = {
        row.name: row for row in BillingAccount.objects.locked().filter(organization=organization_id, name__in=names)
    }
    if account not in rows:
        raise Invalid.because([missing_account(account)])
    return rows[account], rows.get(below)


def _payer_causes(debtor: BillingAccount, sub_account: BillingAccount | None, spec: ChargeSpec) -> list[Cause]:
    """Return why another owes the charge than `debtor`: who was payer of record in its month, or is now."""
    month = spec.month or present_month()
    if month > present_month():
        return [Cause(MONTH_FIELD, _("has not begun: who pays for it is not known yet"))]
    of_month = {"month": f"{month:%Y-%m}"}
    payer, causes = payer_of_record(debtor, month), []
    if payer != debtor:
        message = _("%(name)s is paid by %(payer)s: report the charge there")
        if month != present_month():
            message = _("%(name)s was paid by %(payer)s in %(month)s: report the charge there")
        causes.append(Cause(ACCOUNT_FIELD, message % {"name": debtor.name, "payer": payer.name, **of_month}))
    if spec.sub_account and sub_account is None:
        causes.append(missing_account(spec.sub_account, SUB_ACCOUNT_FIELD))
    elif sub_account and payer_of_record(sub_account, month) != payer:
        message = _("%(name)s is paid by %(payer)s in %(month)s: report the charge there")
        names = {"name": sub_account.name, "payer": payer_of_record(sub_account, month).name}
        causes.append(Cause(SUB_ACCOUNT_FIELD, message % {**names, **of_month}))
    return causes


def relabel_charge(charge_id: int, metadata: Metadata, *, actor: Actor, resource_version: int | None = None) -> Charge:
    """Change the metadata of a charge; everything else is immutable once it is reported.

    An unchanged charge is not written. Raises `Forbidden`; `Invalid` for a fault in the metadata; `Conflict` for a
    stale `resource_version`.
    """
    with audit.transaction():
        charge = _lock(charge_id)
        actor.require("update", CHARGES, charge.organization_id)
        return managers.relabel(
            charge, metadata, reason="ChargeRelabelled", actor=actor, resource_version=resource_version
        )


def _lock(charge_id: int) -> Charge:
    account_id = Charge.objects.values_list("account_id", flat=True).get(pk=charge_id)
    # every writer of a charge locks its account first
    BillingAccount.objects.locked().get(pk=account_id)
    return Charge.objects.get(pk=charge_id)


def settle_charge(charge_id: int, *, reference: str, settled_at: datetime | None = None, actor: Actor) -> Charge:
    """Record the settlement of a charge. Idempotent: the same reference again changes nothing.

    `settled_at` is an instant in UTC, by default now. Raises `Forbidden`; `Invalid` without a reference; `Conflict` if
    the charge is settled by another reference.
    """
    with audit.transaction():
        charge = _lock(charge_id)
        actor.require("create", CHARGES, charge.organization_id, action="settle")
        if not reference.strip():
            raise Invalid.because([Cause.required("spec.reference")])
        if charge.settled_at:
            if charge.settlement_reference == reference:
                return charge
            message = _("charge %(id)s is settled already, by %(reference)s")
            raise Conflict(message % {"id": charge.external_id, "reference": charge.settlement_reference})
        charge.settlement_reference, charge.settled_at = reference, settled_at or audit.ledger_time(charge)
        return audit.save_as(actor, charge, reason="ChargeSettled", why=reference)
