"""The read subresource `paymentschedule` of an account."""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api import examples
from billing.api.amounts import AmountField
from billing.models import BillingAccount
from billing.services.payment_schedules import ScheduledPayment, payment_schedule
from milo.access import Actor
from milo.kube.fields import CountField, DayField
from milo.kube.kinds import ReadSubresource


class ScheduleQuerySerializer(serializers.Serializer[Any]):
    after = DayField(help_text=gettext_lazy("Invoices made strictly after this day, as 2026-01-31."))
    count = CountField(help_text=gettext_lazy("How many invoices, 1 to 100."))
    amount = AmountField(
        required=False, help_text=gettext_lazy("Invoiced amount in the account's currency, for discount and interest.")
    )
    paidOn = DayField(
        source="paid_on",
        required=False,
        help_text=gettext_lazy("Day of payment, for discount and interest of the amount."),
    )


class DiscountSerializer(serializers.Serializer[Any]):
    deadline = serializers.DateField(help_text=gettext_lazy("Last day on which the discount is granted."))
    amount = serializers.CharField(help_text=gettext_lazy("What is waived, a decimal in a string."))
    payable = serializers.CharField(help_text=gettext_lazy("What is left to pay, a decimal in a string."))


class LateInterestSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField(
        help_text=gettext_lazy("Days late: payableBy is not counted, the day of payment is.")
    )
    amount = serializers.CharField(
        help_text=gettext_lazy("Interest owed, a decimal in a string; 0 within the grace days.")
    )


class ScheduledPaymentSerializer(serializers.Serializer[Any]):
    invoiceDate = serializers.DateField(help_text=gettext_lazy("Day on which the invoice is made."))
    periodStart = serializers.DateField(help_text=gettext_lazy("First day that the invoice covers."))
    periodEnd = serializers.DateField(help_text=gettext_lazy("Day after the last one that the invoice covers."))
    dueDate = serializers.DateField(help_text=gettext_lazy("Nominal due date: netDays after the invoice date."))
    payableBy = serializers.DateField(help_text=gettext_lazy("Last day to pay, by the business day convention."))
    discount = DiscountSerializer(required=False, help_text=gettext_lazy("Discount for early payment of the amount."))
    lateInterest = LateInterestSerializer(
        required=False, help_text=gettext_lazy("Interest owed for payment on paidOn.")
    )


class PaymentScheduleSerializer(serializers.Serializer[Any]):
    currencyCode = serializers.CharField(help_text=gettext_lazy("ISO 4217 currency of the amounts."))
    items = ScheduledPaymentSerializer(many=True, help_text=gettext_lazy("The invoices to come, in order."))


def _schedule(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    return {"currencyCode": row.currency_code, "items": [_item(payment) for payment in payment_schedule(row, **query)]}


def _item(payment: ScheduledPayment) -> dict[str, Any]:
    invoice, early, late = payment.invoice, payment.discount, payment.late_interest
    item: dict[str, Any] = {
        "invoiceDate": invoice.invoice_date.isoformat(),
        "periodStart": invoice.period_start.isoformat(),
        "periodEnd": invoice.period_end.isoformat(),
        "dueDate": invoice.due_date.isoformat(),
        "payableBy": invoice.payable_by.isoformat(),
    }
    if early:
        item["discount"] = {
            "deadline": early.deadline.isoformat(),
            "amount": f"{early.amount:f}",
            "payable": f"{early.payable:f}",
        }
    if late:
        item["lateInterest"] = {"days": late.days, "amount": f"{late.amount:f}"}
    return item


PAYMENT_SCHEDULE = ReadSubresource(
    "paymentschedule",
    _schedule,
    ScheduleQuerySerializer,
    PaymentScheduleSerializer,
    gettext_lazy("What the payment terms mean for the next invoices: dates, discounts and late interest."),
    examples.PAYMENT_SCHEDULE,
)
