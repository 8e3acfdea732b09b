"""Actions on billing accounts up to Ready (docs/architecture.md, "Phases")."""

from dataclasses import replace
from datetime import date

import structlog
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.access import ACCOUNTS
from billing.models import BillingAccount
from billing.models.account_phases import VERIFIER_UNAVAILABLE
from billing.payment_profile import profiles
from billing.services.account_spec import AccountSpec as AccountSpec
from billing.services.compliance import assessments, rules
from billing.services.notices import outbox
from billing.verifiers import VerifierUnavailable, verify
from milo import audit
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Invalid, Refused, Unavailable
from milo.kube.metadata import Metadata
from milo.kube.names import name_causes
from milo.kube.store import changes, managers
from projects.models import Organization

log = structlog.get_logger(__name__)
SWEEP = Actor.system("validation-sweep")
ACCOUNT_FIELD = "spec.billingAccountRef.name"
"""Where a manifest names an account."""


def missing_account(name: str, field: str = ACCOUNT_FIELD) -> Cause:
    """Return the cause for a name that no account of the organization has."""
    message = _("there is no billing account %(name)s in this organization") % {"name": name}
    return Cause.not_found(field, message)


def not_ready(account: BillingAccount, field: str = ACCOUNT_FIELD) -> Cause | None:
    """Return why `account` cannot become a payer; None if it is Ready."""
    if account.phase == BillingAccount.Phase.READY:
        return None
    message = _("billing account %(name)s is %(phase)s, not Ready: %(why)s")
    return Cause(field, message % {"name": account.name, "phase": account.phase, "why": account.phase_message})


def lock_named(organization_id: int, name: str) -> BillingAccount:
    """Return the account of that name, locked for the caller's transaction. Raises `Invalid` if there is none."""
    account = BillingAccount.objects.locked().filter(organization_id=organization_id, name=name).first()
    if account is None:
        raise Invalid.because([missing_account(name)])
    return account


def open_account(
    organization_id: int, name: str, spec: AccountSpec, metadata: Metadata = Metadata(), *, actor: Actor
) -> BillingAccount:
    """Open an account as Provisioning, and validate it in the same transaction: it ends Ready or Incomplete.

    If the verifier is unavailable it stays Provisioning. Raises `Forbidden`; `AlreadyExists`; `Invalid` with every
    fault of the spec and every regional rule that it breaks.
    """
    actor.require("create", ACCOUNTS, organization_id)
    today = timezone.now().date()
    spec = spec.normalised(today)
    broken = rules.refusals(spec, today)
    if causes := name_causes(name) + metadata.causes():
        raise Invalid.because(causes + broken)
    with audit.transaction():
        # before the rules: a repeated create gets AlreadyExists, even if a rule has come into force since the first
        if BillingAccount.objects.filter(organization_id=organization_id, name=name).exists():
            raise AlreadyExists(_("billing account %(name)s already exists") % {"name": name})
        if broken:
            raise Invalid.because(broken)
        account = BillingAccount(organization=Organization.objects.get(pk=organization_id), name=name)
        spec.put_on(account)
        metadata.put_on(account)
        assessments.assess(account, today)
        audit.save_as(actor, account, reason="BillingAccountOpened")
        assessments.announce(account)
        validate_locked(account, actor)
        return account


def revise(
    account_id: int,
    spec: AccountSpec,
    metadata: Metadata | None = None,
    *,
    why: str = "",
    actor: Actor,
    resource_version: int | None = None,
) -> BillingAccount:
    """Replace an account's spec, and its metadata if given; validate the account unless it was Ready before.

    An unchanged account is not written. `why` is a reason for people, kept in the history.

    Raises `Forbidden`; `Conflict` for a stale `resource_version`; `Unavailable` if a new payment profile cannot be
    verified now, for an account that was Ready before; `Invalid` for:

    - a fault of the spec, or a regional rule that it breaks and did not break before;
    - another currency, or a missing value, once the account was Ready;
    - any change but of finalizers on a Closed or Archived account.
    """
    today = timezone.now().date()
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        actor.require("update", ACCOUNTS, account.organization_id)
        changes.expect(account, resource_version)
        before, spec = AccountSpec.of(account), spec.normalised(today)
        spec = replace(spec, payment_terms=account.anchored(spec.payment_terms))
        if causes := (metadata.causes() if metadata else []) + _revision_causes(account, before, spec, today):
            raise Invalid.because(causes)
        fixed = spec != before or (metadata is not None and metadata.relabels(account))
        changed = metadata is not None and metadata.put_on(account)
        if not fixed:
            # finalizers alone changed: a controller must be able to remove its own from a closed account too
            return _save(account, actor, why) if changed else managers.record(account, actor=actor)
        if account.phase in BillingAccount.READ_ONLY:
            raise Invalid(_("billing account %(name)s is closed and cannot be changed") % {"name": account.name})
        spec.put_on(account)
        assessments.assess(account, today)
        account.generation += spec != before
        if account.first_ready_at and spec.payment_profile and spec.payment_profile != before.payment_profile:
            _verify_or_refuse(account)
        _save(account, actor, why)
        assessments.announce(account)
        if spec != before:
            outbox.queue_assessment(account, actor=actor)
        if not account.first_ready_at:
            validate_locked(account, actor)
        return account


def _save(account: BillingAccount, actor: Actor, why: str) -> BillingAccount:
    return audit.save_as(actor, account, reason="BillingAccountRevised", why=why)


def _revision_causes(account: BillingAccount, before: AccountSpec, spec: AccountSpec, today: date) -> list[Cause]:
    causes = rules.refusals(spec, today, before, whole=account.first_ready_at is not None, of=account)
    if account.first_ready_at:
        if spec.currency_code != before.currency_code:
            message = _("is fixed to %(code)s since the account was first Ready") % {"code": before.currency_code}
            causes.append(Cause("spec.currencyCode", message))
        # the present terms need no approval
        complete = BillingAccount(approved_terms=before.payment_terms.as_json(), paid_by_id=account.paid_by_id)
        replace(spec, currency_code=before.currency_code).put_on(complete)
        causes += complete.missing() + account.unapproved_waiver(spec.payment_terms)
    elif account.paid_by and spec.currency_code != before.currency_code:
        message = _("is fixed to %(code)s while %(payer)s pays for the account")
        causes.append(Cause("spec.currencyCode", message % {"code": before.currency_code, "payer": account.paid_by}))
    return causes


def _verify_or_refuse(account: BillingAccount) -> None:
    try:
        causes = verify(account.payment_profile or {})
    except VerifierUnavailable as error:
        raise Unavailable(
            _("the payment profile cannot be verified now: %(why)s; try again") % {"why": error}
        ) from error
    if causes:
        raise Invalid.because(causes)


def validate(account_id: int, *, actor: Actor) -> BillingAccount:
    """Validate a Provisioning or Incomplete account: it becomes Ready, or Incomplete with everything that is missing.

    Raises `Forbidden`; `Invalid` for an account in another phase.
    """
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        actor.require("update", ACCOUNTS, account.organization_id)
        if account.phase not in (BillingAccount.Phase.PROVISIONING, BillingAccount.Phase.INCOMPLETE):
            raise Invalid(_("a %(phase)s account is not validated again") % {"phase": account.phase})
        validate_locked(account, actor)
        return account


def validate_locked(account: BillingAccount, actor: Actor) -> None:
    """Validate `account`, locked by the caller, in the caller's transaction.

    If the verifier is unavailable the account waits for `validate_waiting`, and nothing else is changed.
    """
    with audit.ledger_language():
        _validate_and_record(account, actor)


def _validate_and_record(account: BillingAccount, actor: Actor) -> None:
    today = timezone.now().date()
    causes = account.missing() + profiles.causes(account.payment_profile, today)
    causes += [finding.cause() for finding in rules.errors(rules.facts_of(account), today)]
    if account.payment_profile:
        try:
            causes += verify(account.payment_profile)
        except VerifierUnavailable as error:
            if account.phase_reason != VERIFIER_UNAVAILABLE or account.phase_message != str(error):
                account.wait_for_verifier(str(error))
                audit.save_as(actor, account, reason="ValidationPostponed", why=str(error))
            return
    if not causes:
        account.become_ready()
        audit.save_as(actor, account, reason="BillingAccountReady")
        return
    was = account.phase, account.phase_reason, account.phase_message
    account.become_incomplete(causes)
    if was != (account.phase, account.phase_reason, account.phase_message):
        audit.save_as(actor, account, reason="BillingAccountIncomplete", why=account.phase_message)


def validate_waiting() -> int:
    """Validate every account that waits for its verifier, and return how many there were.

    A failure of one is logged; the others go on.
    """
    waiting = list(BillingAccount.objects.waiting_for_validation().values_list("pk", flat=True))
    for account_id in waiting:
        try:
            validate(account_id, actor=SWEEP)
        except Refused as refusal:
            log.warning("validation_refused", account=account_id, error=refusal)
        except Exception:
            # a verifier is third-party code and may raise anything
            log.exception("validation_failed", account=account_id)
    return len(waiting)
