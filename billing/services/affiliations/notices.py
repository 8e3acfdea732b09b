"""Queue notices about plans: to who created them, and to the billing contacts of the account and of its parent."""

from uuid import UUID, uuid5

from django.contrib.auth.models import User

from billing.models import BillingAccountAffiliation, Notice
from billing.services.notices import outbox


def queue_risk(affiliation: BillingAccountAffiliation, days: int) -> int:
    """Queue a notice, `days` before its month, that a plan will not take effect; return how many are new.

    Each is sent once for a milestone in days.
    """
    cause = uuid5(affiliation.uid, f"{Notice.About.AFFILIATION_AT_RISK}:{days}")
    return _queue(Notice.About.AFFILIATION_AT_RISK, affiliation, cause, affiliation.obstacle)


def queue_failure(affiliation: BillingAccountAffiliation) -> None:
    """Queue a notice that a plan could not take effect, with every cause."""
    cause = uuid5(affiliation.uid, Notice.About.AFFILIATION_FAILED)
    _queue(Notice.About.AFFILIATION_FAILED, affiliation, cause, affiliation.outcome)


def _queue(about: Notice.About, affiliation: BillingAccountAffiliation, cause: UUID, why: str) -> int:
    child, parent = affiliation.account, affiliation.parent
    context = {
        "affiliation": affiliation.name,
        "child": child.name,
        "month": f"{affiliation.effective_from:%Y-%m}",
        "parent": parent.name if parent else "",
        "message": why,
    }
    username = affiliation.created_by.removeprefix("user:")
    creator = User.objects.filter(username=username, is_active=True).exclude(email="")
    told = {*outbox.contacts_of(child), *creator.values_list("email", flat=True)}
    queued = outbox.queue_once(about, child, cause, told, context)
    # the address of an account goes with its own notices when its data are purged
    others = set(outbox.contacts_of(parent)) - told if parent else set()
    return queued + (outbox.queue_once(about, parent, cause, others, context) if parent else 0)
