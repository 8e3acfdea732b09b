"""Spec and status of accounts and bindings. The help texts appear in OpenAPI and `kubectl explain`."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.amounts import PercentField
from billing.api.hierarchy import EffectiveSerializer, HierarchyStatusSerializer
from billing.api.payer_change_readings import MovePreviewSerializer
from billing.api.payment_profiles import PaymentProfileSerializer
from billing.api.preferences import CheckedRegistrationSerializer, PreferencesSerializer
from billing.models import BillingAccount, BillingAccountBinding
from billing.terms.payment_terms import (
    INVOICE_DAYS,
    MAX_NET_DAYS,
    BusinessDayConvention,
    EarlyPaymentDiscount,
    InvoiceFrequency,
    LatePaymentPenalty,
    PaymentTerms,
)
from milo.kube.fields import BooleanField, ChoiceField, IntegerField, ReferenceSerializer, StringField, StringListField
from milo.kube.schemas import ConditionSerializer, TextField


class EarlyPaymentDiscountSerializer(serializers.Serializer[Any]):
    percent = PercentField(
        help_text=gettext_lazy("Share of the invoiced amount that is waived, over 0 and under 100, for example 2.5.")
    )
    days = IntegerField(help_text=gettext_lazy("Days from the invoice date, inclusive, to pay within; under netDays."))

    def to_internal_value(self, data: Any) -> Any:
        return EarlyPaymentDiscount(**super().to_internal_value(data))


class LatePaymentPenaltySerializer(serializers.Serializer[Any]):
    annualRatePercent = PercentField(
        source="annual_rate_percent",
        help_text=gettext_lazy("Simple interest a year (ACT/365), over 0 and up to 100, for example 9.12."),
    )
    graceDays = IntegerField(
        source="grace_days",
        required=False,
        help_text=gettext_lazy(
            "Days late without interest, 0 (the default) to 365; once they are exceeded every late day counts."
        ),
    )

    def to_internal_value(self, data: Any) -> Any:
        return LatePaymentPenalty(**super().to_internal_value(data))


@extend_schema_field({"type": "string", "enum": BusinessDayConvention.values})
class BusinessDayConventionField(TextField):
    """A business day convention, for due dates that fall on a weekend."""


class PaymentTermsSerializer(serializers.Serializer[Any]):
    netDays = IntegerField(
        source="net_days",
        min_value=0,
        max_value=MAX_NET_DAYS,
        required=False,
        help_text=gettext_lazy("Calendar days from the invoice date to the due date, 0 to 365; 30 is Net30."),
    )
    invoiceFrequency = ChoiceField(
        InvoiceFrequency.choices,
        source="invoice_frequency",
        required=False,
        help_text=gettext_lazy("How often an invoice is made: Monthly, Quarterly or Annual."),
    )
    invoiceDayOfMonth = IntegerField(
        source="invoice_day_of_month",
        min_value=INVOICE_DAYS[0],
        max_value=INVOICE_DAYS[1],
        required=False,
        help_text=gettext_lazy("Day of the month on which an invoice is made, 1 to 28."),
    )
    anchorMonth = IntegerField(
        source="anchor_month",
        required=False,
        help_text=gettext_lazy(
            "A month (1 to 12) in which quarterly and annual invoices are made;"
            " by default the month in which the account is activated."
        ),
    )
    businessDayConvention = BusinessDayConventionField(
        source="business_day_convention",
        required=False,
        help_text=gettext_lazy(
            "When a due date on a weekend of the account's country is payable: NONE (the default), FOLLOWING,"
            " MODIFIED_FOLLOWING, PRECEDING. Holidays are not known."
        ),
    )
    earlyPaymentDiscount = EarlyPaymentDiscountSerializer(
        source="early_payment_discount",
        required=False,
        help_text=gettext_lazy("What is waived when an invoice is paid early."),
    )
    latePaymentPenalty = LatePaymentPenaltySerializer(
        source="late_payment_penalty",
        required=False,
        help_text=gettext_lazy(
            "Interest on late payments; once the account has been Ready, waiving it needs an approval."
        ),
    )
    extendedTermsAgreed = BooleanField(
        source="extended_terms_agreed",
        required=False,
        help_text=gettext_lazy(
            "true if the parties expressly agreed on more net days than the law of the country allows otherwise."
        ),
    )

    def to_internal_value(self, data: Any) -> Any:
        return PaymentTerms(**super().to_internal_value(data))


class BillingAccountSpecSerializer(serializers.Serializer[Any]):
    displayName = StringField(
        source="display_name",
        max_length=200,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Name for people."),
    )
    currencyCode = StringField(
        source="currency_code",
        max_length=3,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy(
            "ISO 4217 currency of invoices, for example USD; fixed once the account has been Ready."
        ),
    )
    paymentTerms = PaymentTermsSerializer(
        source="payment_terms", required=False, help_text=gettext_lazy("When invoices are made and due.")
    )
    paymentProfile = PaymentProfileSerializer(
        source="payment_profile", required=False, help_text=gettext_lazy("How the account pays: exactly one method.")
    )
    invoiceEmailAddresses = StringListField(
        source="invoice_email_addresses", required=False, help_text=gettext_lazy("Who receives invoices; at most 50.")
    )
    preferences = PreferencesSerializer(
        required=False,
        help_text=gettext_lazy(
            "Country of the customer and how it wants its invoices; checked by the rules of that country."
        ),
    )


class RetentionSerializer(serializers.Serializer[Any]):
    closedAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) of the closure."))
    archivedAt = serializers.DateTimeField(
        required=False,
        help_text=gettext_lazy("Instant (UTC) since which the archive holds a verified bundle of the account."),
    )
    archiveSHA256 = serializers.CharField(
        required=False, help_text=gettext_lazy("SHA-256 of the manifest of that bundle.")
    )
    purgeDate = serializers.DateField(
        required=False,
        help_text=gettext_lazy(
            "First day (UTC) on which personal data may be pseudonymised; an open hold puts it off."
        ),
    )
    purgedDate = serializers.DateField(
        required=False, help_text=gettext_lazy("Day (UTC) on which they were pseudonymised.")
    )


class BillingAccountStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(
        BillingAccount.Phase.choices,
        help_text=gettext_lazy("Provisioning, Incomplete, Ready, Suspended, Closed or Archived."),
    )
    conditions = ConditionSerializer(
        many=True,
        help_text=gettext_lazy(
            "Ready: the account accepts project bindings; else the message says what is missing."
            " PayerOfRecordReady: whoever is invoiced for it does too; absent where that is the account itself."
            " Compliant: whether it keeps the rules of its region. PaymentProfileExpiring: replace the profile soon."
        ),
    )
    taxRegistrations = CheckedRegistrationSerializer(
        many=True,
        required=False,
        help_text=gettext_lazy("Result of the form check of each tax registration of the spec."),
    )
    linkedProjectsCount = serializers.IntegerField(
        help_text=gettext_lazy("Number of projects that the account pays for now.")
    )
    hierarchy = HierarchyStatusSerializer(
        required=False,
        help_text=gettext_lazy("Where it stands among other accounts; absent where none is above or below."),
    )
    effective = EffectiveSerializer(
        required=False,
        help_text=gettext_lazy("Whose terms and profile count; absent where the account is under no other."),
    )
    retention = RetentionSerializer(
        required=False, help_text=gettext_lazy("Archive and purge of a closed account; absent before.")
    )


class BindingSpecSerializer(serializers.Serializer[Any]):
    projectRef = ReferenceSerializer(source="project_ref", help_text=gettext_lazy("The project to be paid for; fixed."))
    billingAccountRef = ReferenceSerializer(
        source="billing_account_ref",
        help_text=gettext_lazy(
            "The account that pays; fixed. Another payer needs a new binding, which supersedes this one."
        ),
    )


class BindingResponsibilitySerializer(serializers.Serializer[Any]):
    establishedAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) from which the account pays."))
    endedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Instant (UTC) from which it no longer does; absent while it does.")
    )
    endReason = ChoiceField(
        BillingAccountBinding.EndReason.choices,
        required=False,
        help_text=gettext_lazy("Superseded or ProjectArchived."),
    )
    currentAccount = serializers.CharField(required=False, help_text=gettext_lazy("The account, while it pays."))
    supersededBy = serializers.CharField(required=False, help_text=gettext_lazy("Name of the binding that took over."))


class BindingStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(BillingAccountBinding.Phase.choices, help_text=gettext_lazy("Active, Superseded or Ended."))
    conditions = ConditionSerializer(many=True, help_text=gettext_lazy("Bound: the account pays for the project."))
    billingResponsibility = BindingResponsibilitySerializer(help_text=gettext_lazy("Since when, and until when."))
    preview = MovePreviewSerializer(
        required=False, help_text=gettext_lazy("With dryRun=All: what the bind would move.")
    )
