"""What an account's status says besides its phase."""

from typing import Any

from django.utils import timezone

from billing.compliance.tax_registrations import checked
from billing.models import BillingAccount
from billing.payment_profile import profiles
from billing.services.compliance import assessments
from milo.kube.store.manifests import condition, without_empty


def conditions(row: BillingAccount) -> list[dict[str, Any]]:
    """Ready always; Compliant where the account's region is known; PaymentProfileExpiring where the profile does."""
    ready = row.phase == BillingAccount.Phase.READY
    found = [condition("Ready", ready, row.phase_since, row.phase_reason, row.phase_message, row.generation)]
    if row.compliance_since:
        reason, message = row.compliance_reason, row.compliance_message
        kept = reason != assessments.ERRORS
        found.append(condition("Compliant", kept, row.compliance_since, reason, message, row.generation))
    if row.expiry_since and row.payment_profile:
        method, end = profiles.method_of(row.payment_profile), profiles.expires_on(row.payment_profile)
        message = f"spec.paymentProfile.{method} can be used up to and including {end}"
        found.append(
            condition("PaymentProfileExpiring", True, row.expiry_since, row.expiry_reason, message, row.generation)
        )
    return found


def tax_registrations(row: BillingAccount) -> list[dict[str, Any]]:
    """Each tax number with what is known of its form today (UTC)."""
    today = timezone.now().date()
    found = [checked(each, today) for each in row.preferences.tax_registrations]
    return [
        without_empty(
            {
                "country": it.country,
                "scheme": it.scheme,
                "name": it.name,
                "number": it.number,
                "form": it.form.value,
            }
        )
        for it in found
    ]
