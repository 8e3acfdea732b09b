"""Specs and statuses of accounts and bindings; the help texts are what `kubectl explain` says."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.payment_terms import INVOICE_DAYS, MAX_NET_DAYS, InvoiceFrequency
from milo.kube.fields import ChoiceField, IntegerField, ReferenceSerializer, StringField, StringListField
from milo.kube.schemas import ConditionSerializer


class PaymentTermsSerializer(serializers.Serializer[Any]):
    netDays = IntegerField(
        source="net_days",
        min_value=0,
        max_value=MAX_NET_DAYS,
        required=False,
        help_text=_("Calendar days from the invoice date to the due date, 0 to 365; 30 is Net30."),
    )
    invoiceFrequency = ChoiceField(
        InvoiceFrequency.choices,
        source="invoice_frequency",
        required=False,
        help_text=_("How often an invoice is made: Monthly, Quarterly or Annual."),
    )
    invoiceDayOfMonth = IntegerField(
        source="invoice_day_of_month",
        min_value=INVOICE_DAYS[0],
        max_value=INVOICE_DAYS[1],
        required=False,
        help_text=_("Day of the month on which an invoice is made, 1 to 28."),
    )


class CreditCardSerializer(serializers.Serializer[Any]):
    cardReference = StringField(
        max_length=200, help_text=_("Token under which the payment provider keeps the card; never a card number.")
    )


class PaymentProfileSerializer(serializers.Serializer[Any]):
    creditCard = CreditCardSerializer(required=False, help_text=_("Payment by credit card."))


class BillingAccountSpecSerializer(serializers.Serializer[Any]):
    displayName = StringField(
        source="display_name", max_length=200, required=False, allow_blank=True, help_text=_("Name for people.")
    )
    currencyCode = StringField(
        source="currency_code",
        max_length=3,
        required=False,
        allow_blank=True,
        help_text=_("ISO 4217 currency of invoices, for example USD; fixed once the account has been Ready."),
    )
    paymentTerms = PaymentTermsSerializer(
        source="payment_terms", required=False, help_text=_("When invoices are made and due.")
    )
    paymentProfile = PaymentProfileSerializer(
        source="payment_profile", required=False, help_text=_("How the account pays: exactly one method.")
    )
    invoiceEmailAddresses = StringListField(
        source="invoice_email_addresses", required=False, help_text=_("Who receives invoices; at most 50.")
    )


class RetentionSerializer(serializers.Serializer[Any]):
    closedAt = serializers.DateTimeField(help_text=_("Instant (UTC) of the closure."))
    archivedAt = serializers.DateTimeField(
        required=False, help_text=_("Instant (UTC) since which the archive holds a verified bundle of the account.")
    )
    archiveSHA256 = serializers.CharField(required=False, help_text=_("SHA-256 of the manifest of that bundle."))
    purgeDate = serializers.DateField(
        required=False,
        help_text=_("First day (UTC) on which personal data may be pseudonymised; an open hold puts it off."),
    )
    purgedDate = serializers.DateField(required=False, help_text=_("Day (UTC) on which they were pseudonymised."))


class BillingAccountStatusSerializer(serializers.Serializer[Any]):
    phase = serializers.CharField(help_text=_("Provisioning, Incomplete, Ready, Suspended, Closed or Archived."))
    conditions = ConditionSerializer(
        many=True, help_text=_("Ready: the account accepts project bindings; else the message says what is missing.")
    )
    linkedProjectsCount = serializers.IntegerField(help_text=_("Number of projects that the account pays for now."))
    retention = RetentionSerializer(required=False, help_text=_("What becomes of a closed account; absent before."))


class BindingSpecSerializer(serializers.Serializer[Any]):
    projectRef = ReferenceSerializer(source="project_ref", help_text=_("The project to be paid for; fixed."))
    billingAccountRef = ReferenceSerializer(
        source="billing_account_ref",
        help_text=_("The account that pays; fixed. Another payer needs a new binding, which supersedes this one."),
    )


class BindingResponsibilitySerializer(serializers.Serializer[Any]):
    establishedAt = serializers.DateTimeField(help_text=_("Instant (UTC) from which the account pays."))
    endedAt = serializers.DateTimeField(
        required=False, help_text=_("Instant (UTC) from which it no longer does; absent while it does.")
    )
    endReason = serializers.CharField(required=False, help_text=_("Superseded or ProjectArchived."))
    currentAccount = serializers.CharField(required=False, help_text=_("The account, while it pays."))
    supersededBy = serializers.CharField(required=False, help_text=_("Name of the binding that took over."))


class BindingStatusSerializer(serializers.Serializer[Any]):
    phase = serializers.CharField(help_text=_("Active, Superseded or Ended."))
    conditions = ConditionSerializer(many=True, help_text=_("Bound: the account pays for the project."))
    billingResponsibility = BindingResponsibilitySerializer(help_text=_("Since when, and until when."))
