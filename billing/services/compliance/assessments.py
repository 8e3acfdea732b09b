"""Assess accounts: the conditions beside the phase, on regional rules and on the expiry of the payment profile."""

import json
import uuid
from datetime import date

import structlog
from django.utils import timezone

from billing.compliance.check import check
from billing.compliance.facts import AccountFacts
from billing.compliance.findings import Severity
from billing.features import COMPLIANCE_ENFORCEMENT
from billing.models import Announcement, BillingAccount
from billing.payment_profile import profiles
from billing.services.compliance.drift import checked_accounts, in_batches
from billing.services.compliance.rules import facts_of, platform
from billing.services.notices import outbox
from billing.services.notices.deliveries import in_steps, next_accounts
from milo import audit, clock, feature_gates
from milo.access import Actor

log = structlog.get_logger(__name__)
ASSESSOR = Actor.system("assessor")
NO_FINDINGS, WARNINGS, ERRORS = "NoFindings", "ComplianceWarnings", "ComplianceErrors"
EXPIRING, EXPIRED = "PaymentProfileExpiring", "PaymentProfileExpired"


COLUMNS = ("compliance_reason", "compliance_message", "compliance_since", "expiry_reason", "expiry_since")
"""What `assess` changes."""


def assess(account: BillingAccount, on: date) -> bool:
    """Set the compliance and expiry columns of `account` by the rules in force on the day `on` (UTC).

    Return whether they changed. The caller saves the account, and then calls `announce`.
    """
    before = account.compliance_reason, account.compliance_message, account.expiry_reason
    with audit.ledger_language():
        reason, account.compliance_message = _compliance(facts_of(account), on)
    if reason != account.compliance_reason:
        account.compliance_since = audit.ledger_time(account) if reason else None
        account.compliance_reason = reason
    reason = _expiry(account, on)
    if reason != account.expiry_reason:
        account.expiry_since = audit.ledger_time(account) if reason else None
        account.expiry_reason = reason
    return before != (account.compliance_reason, account.compliance_message, account.expiry_reason)


def _compliance(facts: AccountFacts, on: date) -> tuple[str, str]:
    if not feature_gates.enabled(COMPLIANCE_ENFORCEMENT):
        return "", ""
    findings = [each for each in check(facts, platform(), on) if each.severity is not Severity.INFO]
    message = "; ".join(f"{each.field}: {each.message} ({each.because})" for each in findings)
    if any(each.severity is Severity.ERROR for each in findings):
        return ERRORS, message
    if findings:
        return WARNINGS, message
    # without a country no rule was checked, which is not the same as no finding
    return NO_FINDINGS if any(facts.countries) else "", ""


def _expiry(account: BillingAccount, on: date) -> str:
    end = profiles.expires_on(account.payment_profile) if account.payment_profile else None
    if end is None or end > on + profiles.EXPIRY_NOTICE:
        return ""
    return EXPIRED if end < on else EXPIRING


def assess_all() -> int:
    """Assess every account that can change, by the rules of today (UTC), and return how many have changed.

    The billing-admins get one notice of each profile that expires within 30 days. A failure of one account is logged;
    the others go on. Raises `ClockWrong`: a mail cannot be recalled.
    """
    clock.refuse_wrong()
    today, changed = timezone.now().date(), 0
    for account in in_batches(checked_accounts()):
        try:
            changed += assess(account, today) and _record(account.pk, today)
        except Exception:
            log.exception("assessment_failed", account=account.pk)
    return changed


def assess_paid() -> int:
    """Assess the accounts whose payer of record was revised: the country rules of invoices judge that one.

    Return how many there were.
    """
    return in_steps(Announcement.objects.filter(reason=Announcement.REVISED), _assess_next)


def _assess_next(announcement: Announcement) -> int:
    accounts = next_accounts(announcement)
    for account in accounts:
        record(account, timezone.now().date())
    return len(accounts)


def _record(account_id: int, today: date) -> bool:
    with audit.transaction():
        return record(BillingAccount.objects.locked().get(pk=account_id), today)


def record(account: BillingAccount, today: date) -> bool:
    """Assess `account`, locked by the caller, and write what has changed; return whether anything has."""
    expiry = account.expiry_reason
    # it may have been closed or revised since it was found
    if account.phase in BillingAccount.READ_ONLY or not assess(account, today):
        return False
    reason = _event(account, expiry)
    why = account.compliance_message
    if reason in (EXPIRED, EXPIRING) and account.payment_profile:
        end = profiles.expires_on(account.payment_profile)
        why = f"the payment profile can be used up to and including {end}"
    audit.save_as(ASSESSOR, account, reason=reason, why=why)
    announce(account)
    return True


def _event(account: BillingAccount, expiry: str) -> str:
    """Return the reason of the event of an assessment; `expiry` is the `expiry_reason` from before it."""
    if account.expiry_reason == EXPIRED != expiry:
        return EXPIRED
    if account.expiry_reason == EXPIRING != expiry:
        return EXPIRING
    if account.compliance_reason == ERRORS:
        return ERRORS
    return WARNINGS if account.compliance_reason == WARNINGS else "BillingAccountAssessed"


def announce(account: BillingAccount) -> None:
    """Queue a notice to the billing-admins of a payment profile that expires soon or has expired, once a profile."""
    end = profiles.expires_on(account.payment_profile) if account.payment_profile else None
    if account.expiry_reason and end:
        # the id is derived from the profile, so that a profile that is removed and set again gives no second notice
        profile = uuid.uuid5(account.uid, json.dumps(account.payment_profile, sort_keys=True))
        outbox.queue_profile_expiry(account, profile, end)
