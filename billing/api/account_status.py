"""Conditions and tax registrations in the status of a billing account."""

from typing import Any

from django.utils import timezone

from billing.compliance.tax_registrations import checked
from billing.models import BillingAccount
from billing.payment_profile import profiles
from billing.services.compliance import assessments
from milo.kube.store.manifests import condition, without_empty


def conditions(row: BillingAccount) -> list[dict[str, Any]]:
    """Return the conditions of an account.

    Ready is always present; PayerOfRecordReady while another account is payer of record; Compliant once the account was
    assessed against the rules of its region; PaymentProfileExpiring while its payment profile expires soon or has
    expired.
    """
    ready = row.phase == BillingAccount.Phase.READY
    conditions = [condition("Ready", ready, row.phase_since, row.phase_reason, row.phase_message, row.generation)]
    if row.paid_by_id:
        conditions.append(_payer_of_record_ready(row))
    if row.compliance_since:
        reason, message = row.compliance_reason, row.compliance_message
        compliant = reason != assessments.ERRORS
        conditions.append(condition("Compliant", compliant, row.compliance_since, reason, message, row.generation))
    if row.expiry_since and row.payment_profile:
        method, end = profiles.method_of(row.payment_profile), profiles.expires_on(row.payment_profile)
        message = f"spec.paymentProfile.{method} can be used up to and including {end}"
        conditions.append(
            condition("PaymentProfileExpiring", True, row.expiry_since, row.expiry_reason, message, row.generation)
        )
    return conditions


def _payer_of_record_ready(row: Any) -> dict[str, Any]:
    """Return the condition with the reason of the payer's phase; `row` is one of `with_hierarchy`."""
    ready = row.payer_phase == BillingAccount.Phase.READY
    since = row.payer_stands_since(row.payer_phase_since)
    if row.paid_by_since is None and row.affiliated_at:
        # affiliated before the ledger kept that
        since = max(since, row.affiliated_at)
    reason, message = row.payer_phase_reason, row.payer_phase_message
    return condition("PayerOfRecordReady", ready, since, reason, message, row.generation)


def tax_registrations(row: BillingAccount) -> list[dict[str, Any]]:
    """Return each tax registration with its scheme, name and the result of the form check on today's date (UTC)."""
    today = timezone.now().date()
    registrations = [checked(registration, today) for registration in row.preferences.tax_registrations]
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
        for it in registrations
    ]
