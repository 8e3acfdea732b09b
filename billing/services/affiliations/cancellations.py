"""Cancel a plan; the relation before goes on."""

from django.utils.translation import gettext as _

from billing.access import AFFILIATIONS, CANCEL
from billing.models import BillingAccount, BillingAccountAffiliation
from billing.services.affiliations import facts
from billing.services.affiliations.locks import lock_hierarchy
from billing.services.payer_changes.plans import reason_causes
from milo import audit
from milo.access import Actor
from milo.errors import Invalid


def cancel(affiliation_id: int, *, reason: str, actor: Actor) -> BillingAccountAffiliation:
    """Cancel an affiliation that is planned; one whose month has begun takes effect instead, however late.

    Raises `Forbidden`; `Invalid` without a reason, and for an affiliation that is no plan any more;
    `Unavailable` if a plan of the organization becomes due at this moment.
    """
    plan = BillingAccountAffiliation.objects.only("organization_id", "account_id", "parent_id").get(pk=affiliation_id)
    actor.require("create", AFFILIATIONS, plan.organization_id, action=CANCEL)
    with facts.transaction(plan.organization_id):
        lock_hierarchy(plan.organization_id)
        facts.refuse_due(plan.organization_id)
        keys = [key for key in (plan.account_id, plan.parent_id) if key]
        accounts = BillingAccount.objects.locked().filter(pk__in=keys).in_bulk()
        affiliation = BillingAccountAffiliation.objects.locked().get(pk=affiliation_id)
        if causes := reason_causes(reason):
            raise Invalid.because(causes)
        if affiliation.phase != BillingAccountAffiliation.Phase.SCHEDULED:
            message = _("affiliation %(name)s is %(phase)s, and no plan: create another, which supersedes it")
            raise Invalid(message % {"name": affiliation.name, "phase": affiliation.phase})
        affiliation.cancel(audit.ledger_time(affiliation), reason)
        audit.save_as(actor, affiliation, reason="AffiliationCancelled", why=reason)
        for account in accounts.values():
            audit.mark_changed(actor, account, reason="AffiliationCancelled", why=affiliation.name)
        return affiliation
