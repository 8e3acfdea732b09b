"""Correct who paid for a project in the past: the effect of an approved CorrectPayer on the account that should have.

Bindings stay as they are. A correction lies over them, and usage of its span is recounted. Start with `apply`; the
rules are in `payer_correction_rules`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    PayerCorrection,
    UsageAssignment,
    UsageMeter,
)
from billing.models.usage_rollup import MONTH
from billing.services import bindings, past, payers_of_record
from billing.services.approvals.payer_correction_rules import Span, charges, first_open_months, names_of, span_of
from billing.services.notices import outbox
from billing.services.payer_changes.facts import make_due_facts
from billing.services.usage import locks, sums, times
from billing.terms.payment_amounts import money_text
from billing.usage.quantities import EXACT, plain
from milo import audit, clock
from milo.access import Actor
from milo.kube.names import generated_name
from milo.kube.store.manifests import precise_instant
from projects.models import Project


def lock(organization_id: int, account: str, proposal: dict[str, Any]) -> None:
    """Lock the project, then the accounts that pay or paid for it, and the one named `account`, by primary key."""
    named = Project.objects.filter(organization_id=organization_id, name=str(proposal.get("project", "")))
    project = named.locked().first()
    concerned = Q(organization_id=organization_id, name=account)
    if project:
        # a plan that is due would change the timeline under the correction
        named_account = BillingAccount.objects.filter(concerned).values_list("pk", flat=True)
        make_due_facts([project.pk], accounts=[*named_account, *_payers(project)])
        concerned |= Q(pk__in=_payers(project))
        if not proposal.get("until"):
            # it binds, too
            payers_of_record.lock_shared(BillingAccount.objects.filter(concerned).values_list("pk", flat=True))
    list(BillingAccount.objects.filter(concerned).locked())


def _payers(project: Project) -> set[int]:
    """Return the keys of all accounts that ever paid: those of a span are among them, and no instant has to be read."""
    facts = (BillingAccountBinding, UsageAssignment, PayerCorrection)
    keys = [model._base_manager.filter(project=project).values_list("account", flat=True) for model in facts]
    return {key for of_model in keys for key in of_model}


def freeze(request: ApprovalRequest) -> None:
    """Keep usage from arriving for the project until the transaction ends, so that what was reviewed is what moves."""
    project = Project.objects.filter(organization_id=request.organization_id, name=request.proposal.get("project"))
    for key in project.values_list("pk", flat=True):
        locks.lock_exclusive(key)


@dataclass(frozen=True, slots=True)
class Moving:
    """The usage of a meter that `account` pays for, None for nobody, until a correction gives it to another."""

    account_id: int | None
    meter: UsageMeter
    amount: sums.Amount


def usage_of(span: Span) -> list[Moving]:
    """Return the usage of a span by meter and payer."""
    totals: dict[tuple[int, int | None], sums.Amount] = {}
    for of, amount in _counted(span).items():
        if of.granularity == MONTH:
            key = of.meter_id, of.account_id
            totals[key] = totals.get(key, sums.NOTHING) + amount
    meters = UsageMeter.objects.in_bulk({meter for meter, _account in totals})
    lines = [Moving(account, meters[meter], amount) for (meter, account), amount in totals.items() if amount.quantity]
    return sorted(lines, key=lambda line: (line.meter.service, line.meter.name, line.account_id or 0))


def _counted(span: Span) -> dict[sums.SumKey, sums.Amount]:
    bounds = [connection.ops.adapt_datetimefield_value(at) for at in (span.since, span.until)]
    return sums.counted("v.project_id = %s AND v.time >= %s AND v.time < %s", [span.project.pk, *bounds])


def shows(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return who paid in the span, what would move, the charges, and the months that are closed, for the review.

    Whatever changes of it before the decision makes the review stale: usage that arrives for the span, the timeline, a
    charge, a month that is closed.
    """
    span, _faults = span_of(account, request.proposal, request.requested_at)
    if span is None:
        return {}
    stretches = past.payers(span.project, span.since, span.until)
    accounts = {each.account_id for each in stretches if each.account_id} | {account.pk}
    usage = usage_of(span)
    names = names_of(accounts | {line.account_id for line in usage if line.account_id})
    review: dict[str, Any] = {
        "payers": [
            {
                "from": precise_instant(each.start),
                "until": precise_instant(each.end),
                "account": names.get(each.account_id or 0, ""),
            }
            for each in stretches
        ],
        "usage": [*before_and_after(account, usage, names)],
        "charges": [
            {
                "account": names[charge.account_id],
                "name": charge.name,
                "amount": money_text(charge.amount, charge.currency_code),
                "dueDate": charge.due_date.isoformat(),
                "settled": charge.settled_at is not None,
            }
            for charge in charges(accounts, span)
        ],
        "firstOpenMonths": {names[key]: month.isoformat() for key, month in first_open_months(accounts, span).items()},
    }
    if not request.proposal.get("until"):
        active = BillingAccountBinding.objects.paying().filter(project=span.project).select_related("account").first()
        review["paysNow"] = active.account.name if active else ""
    return review


def before_and_after(
    account: BillingAccount, usage: list[Moving], names: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    """Yield for each meter and account its quantity in the span before the correction, and after it."""
    for meter in {line.meter.pk: line.meter for line in usage}.values():
        total, lines = sums.NOTHING, dict[int | None, sums.Amount]({account.pk: sums.NOTHING})
        for line in usage:
            if line.meter == meter:
                total += line.amount
                lines[line.account_id] = line.amount
        for key, amount in lines.items():
            yield {
                "service": meter.service,
                "meter": meter.name,
                "unit": meter.unit,
                "account": names.get(key or 0, ""),
                "before": plain(amount.quantity),
                "after": plain(total.quantity) if key == account.pk else "0",
            }


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Record the correction and recount the usage of its span, in the transaction of the approval.

    The caller holds the locks of `lock` and `freeze`. Without an end the account is bound from now on first, and the
    correction ends where the binding begins.
    """
    span, _faults = span_of(account, request.proposal, request.requested_at)
    assert span, "causes is asked first"
    project = span.project
    if not request.proposal.get("until"):
        name = generated_name(f"{project.name[:40]}-corrected-")
        binding = bindings.bind_authorized(project.organization_id, name, project.name, account.name, actor=actor)
        span = Span(project, span.since, binding.established_at)
    moving = [line for line in usage_of(span) if line.account_id != account.pk]
    paid = {each.account_id for each in past.payers(project, span.since, span.until) if each.account_id}
    was = _counted(span)
    correction = PayerCorrection(
        project=project,
        account=account,
        request=request,
        starts_at=span.since,
        ends_at=span.until,
        recorded_at=_recorded_at(account, span.until),
    )
    why = f"{account.name} pays for {project.name} from {span.since.isoformat()} until {span.until.isoformat()}"
    # generated: the digits of its instants could pass for a card number
    audit.save_as(actor, correction, reason="PayerCorrected", why=why, generated=True)
    sums.add(sums.difference(_counted(span), was))
    audit.mark_changed(actor, project, reason="PayerCorrected", why=why)
    concerned = BillingAccount.objects.filter(pk__in=paid | {account.pk}).select_related("organization").order_by("pk")
    for each in concerned:
        if each == account:
            audit.mark_changed(actor, each, reason="PayerCorrected", why=why)
        else:
            # in the timeline of its own: the correction itself is in that of the account that should have paid
            audit.save_as(actor, each, reason="PayerCorrected", why=why, generated=True)
    outbox.queue_correction(correction, list(concerned), [*_moved(account, moving)])


def _recorded_at(account: BillingAccount, ends_at: datetime) -> datetime:
    """Return the instant of the correction: that of the transaction, but later than all that usage has recorded.

    One instant for correction and binding, or somebody who asks as known between them would see half of it.
    """
    last = times.last()
    # not later than its end only, which is the instant of the transaction where it binds
    floor = max((at for at in (last, ends_at - timedelta(microseconds=1)) if at), default=None)
    return clock.valid_time(audit.ledger_time(account, after=floor), floor)


def _moved(account: BillingAccount, moving: list[Moving]) -> Iterator[dict[str, str]]:
    """Yield the amounts that moved, for people: from which account, of which meter, how much."""
    names = names_of({line.account_id for line in moving if line.account_id})
    for line in moving:
        yield {
            "account": names.get(line.account_id or 0, ""),
            "meter": f"{line.meter.service} {line.meter.name}",
            "quantity": plain(EXACT.plus(line.amount.quantity)),
            "unit": line.meter.unit,
        }
