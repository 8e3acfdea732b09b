"""Put an account under another, or let it leave: the effect of an approved Affiliate on the account below."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    UsageRollup,
)
from billing.models.quantity import ExactSum
from billing.models.usage_rollup import MONTH
from billing.services.affiliations import creation, facts, rules
from billing.services.affiliations.proposals import Proposed, Stretch, propose
from billing.services.affiliations.specs import EFFECTIVE_FROM, PARENT, PAYER, AffiliationSpec, present_month, spec_of
from billing.services.affiliations.trees import Tree, facts_of, plans_of
from billing.usage.quantities import plain
from milo.access import Actor
from milo.dates import parse_month
from milo.errors import Cause
from milo.kube.metadata import Metadata
from milo.kube.names import generated_name

# where a request has what an affiliation has in its spec
_FIELDS = {field: field.replace("spec", "spec.proposal", 1) for field in (PARENT, PAYER, EFFECTIVE_FROM)}


def prepare(organization_id: int, _account: str, _proposal: dict[str, Any]) -> None:
    """Make due plans of the organization facts: the new plan would cancel one whose month has begun."""
    facts.make_due_facts(organization_id)


def lock(organization_id: int, account: str, proposal: dict[str, Any]) -> None:
    """Lock the hierarchy of the organization, then the accounts that the proposal concerns, by primary key.

    Raises `Beforehand` if a plan became due since `prepare`.
    """
    facts.settle_in_dry_run(organization_id)
    creation.lock_accounts(organization_id, spec_of(account, proposal, ""))
    facts.refuse_due(organization_id)


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Return why the affiliation cannot be planned now."""
    spec, parent = _asked(account, request)
    faults = spec.causes() + rules.reference_causes(spec.account, spec.parent, account, parent)
    if not spec.parent or parent:
        faults += creation.proposal_causes(_proposed(account, parent, spec), spec, request=request)
    return [replace(fault, field=_FIELDS.get(fault.field, fault.field)) for fault in faults]


def shows(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return the accounts whose payer of record changes, with what each is invoiced by before and after, and the plan
    of the account that is cancelled for this one.

    Where other plans change that in later months, there is an entry for each stretch of months, with the first of it
    (`from`, absent: that of the affiliation) and the first after it (`until`, absent: none). Beside them are the
    projects that the accounts pay for, and the usage of the last full month by meter.
    """
    spec, parent = _asked(account, request)
    if spec.parent and parent is None:
        return {}
    proposed = _proposed(account, parent, spec)
    changed = proposed.changed_onwards()
    listed = sorted(changed)[: rules.LISTED]
    payers = {key for of in changed.values() for each in of for key in (each.before, each.after)}
    rows = BillingAccount.objects.in_bulk({*listed, *payers})
    paying = BillingAccountBinding.objects.paying().filter(account__in=changed)
    projects = paying.order_by("project__name").values_list("project__name", "account__name")
    return {
        "affiliation": {
            "parent": parent.name if parent else "",
            "payer": spec.payer or spec.default_payer,
            "effectiveFrom": f"{proposed.month:%Y-%m}",
            **_cancels(account),
        },
        "accountsCount": len(changed),
        "accounts": [
            {
                "name": rows[key].name,
                **_months(each, proposed.month),
                "before": _invoiced(rows[each.before]),
                "after": _invoiced(rows[each.after]),
            }
            for key in listed
            for each in changed[key]
        ],
        "projectsCount": projects.count(),
        "projects": [{"name": project, "account": account} for project, account in projects[: rules.LISTED]],
        "usageOfLastMonth": _usage(list(changed)),
    }


def concerned(request: ApprovalRequest) -> set[int]:
    """Return the accounts (primary keys) that have the payer of record of the account of `request` by way of it, in any
    month from that of the affiliation on, as far as known now; the account is one of them.
    """
    account = request.account
    first = parse_month(request.reviewed["affiliation"]["effectiveFrom"])
    of_past, planned = facts_of(account.organization_id), plans_of(account.organization_id)
    begins = {each.start for of in of_past.values() for each in of} | {plan.start for plan in planned.values()}
    months = {first, *(start for start in begins if start > first)}
    return {key for month in months for key in Tree.in_month(of_past, month, planned).paid_along(account.pk)}


def _cancels(account: BillingAccount) -> dict[str, Any]:
    """Return the plan of the account that the new one cancels, if there is one; somebody may have approved it."""
    plan = BillingAccountAffiliation.objects.scheduled().filter(account=account).select_related("parent").first()
    if plan is None:
        return {}
    relation = {"parent": plan.parent.name if plan.parent else "", "payer": plan.payer}
    return {"cancels": {"name": plan.name, **relation, "effectiveFrom": f"{plan.effective_from:%Y-%m}"}}


def _months(stretch: Stretch, first: date) -> dict[str, str]:
    begins = {"from": f"{stretch.start:%Y-%m}"} if stretch.start != first else {}
    return begins | ({"until": f"{stretch.until:%Y-%m}"} if stretch.until else {})


def _invoiced(payer: BillingAccount) -> dict[str, Any]:
    return {
        "payerOfRecord": payer.name,
        # its profile too, of which nothing may stay here when the data of the payer are purged
        "generation": payer.generation,
        "currencyCode": payer.currency_code,
        "paymentTerms": payer.payment_terms.as_json(),
        "paymentMethod": next(iter(payer.payment_profile or {}), ""),
    }


def _usage(accounts: list[int]) -> list[dict[str, str]]:
    last_month = (present_month() - timedelta(days=1)).replace(day=1)
    rows = UsageRollup.objects.filter(account__in=accounts, granularity=MONTH, starts_on=last_month)
    sums = rows.values_list("meter__service", "meter__name", "meter__unit").annotate(total=ExactSum("quantity"))
    return [
        {"service": service, "meter": meter, "unit": unit, "quantity": plain(total)}
        for service, meter, unit, total in sums.order_by("meter__service", "meter__name", "meter__unit")
    ]


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Create the affiliation, in the transaction of the approval and under the locks of `lock`."""
    spec, parent = _asked(account, request)
    names = BillingAccountAffiliation.objects.filter(organization=account.organization_id, name=request.name)
    name = generated_name(f"{account.name[:40]}-affiliation-") if names.exists() else request.name
    creation.write_affiliation(
        account.organization_id, name, spec, Metadata(), account, parent, request=request, actor=actor
    )


def _asked(account: BillingAccount, request: ApprovalRequest) -> tuple[AffiliationSpec, BillingAccount | None]:
    spec = spec_of(account.name, request.proposal, request.justification)
    parent = BillingAccount.objects.filter(organization=account.organization_id, name=spec.parent).first()
    return spec, parent


def _proposed(account: BillingAccount, parent: BillingAccount | None, spec: AffiliationSpec) -> Proposed:
    return propose(account, parent, spec.paid_by_parent, creation.month_of(spec))
