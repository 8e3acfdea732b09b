"""Charges as a Kubernetes kind: outstanding amounts that an external billing system reports."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.access import CHARGES
from billing.api.amounts import AmountField
from billing.api.examples import CHARGE, SETTLE
from billing.api.usage_reports import MonthField
from billing.models import BillingAccount, Charge
from billing.services.charges import ChargeSpec, relabel_charge, report_charge, settle_charge
from billing.terms.payment_amounts import amount_text
from milo.access import Actor
from milo.kube.fields import DayField, InstantField, ReferenceSerializer, StringField
from milo.kube.kinds import Action, Column, Kind, ObjectInput, register
from milo.kube.models import ResourceQuerySet
from milo.kube.schemas import ConditionSerializer
from milo.kube.store.manifests import condition, instant, without_empty
from milo.kube.store.objects import refuse_other_spec


class ChargeSpecSerializer(serializers.Serializer[Any]):
    billingAccountRef = ReferenceSerializer(
        source="billing_account_ref", help_text=gettext_lazy("The account that owes the charge.")
    )
    subAccountRef = ReferenceSerializer(
        source="sub_account_ref",
        required=False,
        help_text=gettext_lazy("The account whose usage it is for, where the account that owes it pays for that one."),
    )
    month = MonthField(
        required=False,
        help_text=gettext_lazy(
            "The month of the usage (UTC), such as 2027-02: who was payer of record then owes the charge."
            " Without it, who is now."
        ),
    )
    externalId = StringField(
        source="external_id",
        max_length=200,
        help_text=gettext_lazy("Its id in the reporting system; a repeat is harmless."),
    )
    amount = AmountField(help_text=gettext_lazy("Decimal in a string, in the account's currency."))
    currencyCode = StringField(
        source="currency_code", max_length=3, help_text=gettext_lazy("ISO 4217; that of the account.")
    )
    dueDate = DayField(source="due_date", help_text=gettext_lazy("Calendar day on which it is due."))
    description = StringField(
        max_length=500, required=False, allow_blank=True, help_text=gettext_lazy("What it is for.")
    )


class ChargeStatusSerializer(serializers.Serializer[Any]):
    conditions = ConditionSerializer(many=True, help_text=gettext_lazy("Settled: nothing of it is outstanding."))
    settlementReference = serializers.CharField(required=False, help_text=gettext_lazy("Reference of the settlement."))
    settledAt = serializers.DateTimeField(required=False, help_text=gettext_lazy("When it was settled (UTC)."))


class SettleSpecSerializer(serializers.Serializer[Any]):
    reference = StringField(max_length=200, help_text=gettext_lazy("Reference of the settlement."))
    settledAt = InstantField(
        source="settled_at", required=False, help_text=gettext_lazy("When it was settled (UTC); default now.")
    )


@register
class ChargeKind(Kind):
    group, kind, plural, singular = "billing.milo.io", "Charge", CHARGES, "charge"
    contended = "billingAccountRef"
    description = gettext_lazy("An outstanding charge, reported by an external billing system.")
    fixed_spec = True
    model = Charge
    spec_serializer, status_serializer = ChargeSpecSerializer, ChargeStatusSerializer
    columns = (
        Column("Account", lambda m: m["spec"]["billingAccountRef"]["name"]),
        Column("Amount", lambda m: amount_text(Decimal(m["spec"]["amount"]), m["spec"]["currencyCode"])),
        Column("Currency", lambda m: m["spec"]["currencyCode"]),
        Column("Due", lambda m: m["spec"]["dueDate"]),
        Column("Settled", lambda m: m["status"]["conditions"][0]["status"]),
        Column("Sub-Account", lambda m: m["spec"].get("subAccountRef", {}).get("name", ""), wide=True),
        Column("Month", lambda m: m["spec"].get("month", ""), wide=True),
    )
    field_selectors = {
        "spec.billingAccountRef.name": "account__name",
        "spec.subAccountRef.name": "sub_account__name",
        "spec.externalId": "external_id",
    }
    example = CHARGE
    undeletable = gettext_lazy("a charge is never deleted: report its settlement")
    actions = (
        Action(
            "settle",
            lambda row, spec, *, actor: settle_charge(row.pk, **spec, actor=actor),
            SettleSpecSerializer,
            gettext_lazy("Record that the charge is settled; a repeat with the same reference is harmless."),
            SETTLE,
        ),
    )

    def queryset(self) -> ResourceQuerySet[Charge]:
        return Charge.objects.select_related("organization", "account", "sub_account")

    def lock(self, row: Charge) -> None:
        BillingAccount.objects.locked().get(pk=row.account_id)

    def spec(self, row: Charge) -> dict[str, Any]:
        return {
            "billingAccountRef": {"name": row.account.name},
            "subAccountRef": row.sub_account and {"name": row.sub_account.name},
            "month": row.month and f"{row.month:%Y-%m}",
            "externalId": row.external_id,
            "amount": _plain(row.amount),
            "currencyCode": row.currency_code,
            "dueDate": row.due_date.isoformat(),
            "description": row.description,
        }

    def status(self, row: Charge) -> dict[str, Any]:
        settled = row.settled_at is not None
        reason = "Settled" if settled else "Outstanding"
        since = row.settled_at or row.created_at
        return without_empty(
            {
                "conditions": [condition("Settled", settled, since, reason, "", row.generation)],
                "settlementReference": row.settlement_reference,
                "settledAt": row.settled_at and instant(row.settled_at),
            }
        )

    def normalized(self, spec: dict[str, Any], row: Charge | None) -> dict[str, Any]:
        account = BillingAccount(name=spec.pop("billing_account_ref")["name"])
        sub_account = spec.pop("sub_account_ref", None)
        return self.spec(
            Charge(account=account, sub_account=sub_account and BillingAccount(name=sub_account["name"]), **spec)
        )

    def create(self, body: ObjectInput, *, actor: Actor) -> Charge:
        assert body.organization_id
        spec = dict(body.spec)
        account = spec.pop("billing_account_ref")["name"]
        sub_account = (spec.pop("sub_account_ref", None) or {}).get("name", "")
        charge = ChargeSpec(**spec, sub_account=sub_account)
        return report_charge(body.organization_id, account, charge, name=body.name, metadata=body.metadata, actor=actor)

    def update(self, row: Any, body: ObjectInput, *, actor: Actor, resource_version: int | None) -> Charge:
        refuse_other_spec(self, row, body.spec, _("is fixed; settle this charge and report another one"))
        return relabel_charge(row.pk, body.metadata, actor=actor, resource_version=resource_version)


def _plain(amount: Decimal) -> str:
    """Format an amount without an exponent and without the trailing zeros of the column's scale."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
