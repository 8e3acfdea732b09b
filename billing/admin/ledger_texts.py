"""Texts that services write into the ledger in English, of too few words to be told from those of people."""

from django.utils.translation import gettext_lazy

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    PayerChange,
    PayerChangeItem,
)
from milo.admin.stored_texts import register_texts

_TEXTS = (
    gettext_lazy("%(account)s pays by payer change %(change)s"),
    gettext_lazy("%(account)s pays for %(project)s"),
    gettext_lazy("%(account)s pays for %(project)s by payer change %(change)s"),
    gettext_lazy("%(account)s pays for %(project)s from now on"),
    gettext_lazy("%(account)s pays for new projects"),
    gettext_lazy("%(account)s pays from now on"),
    gettext_lazy("%(name)s is %(phase)s"),
    gettext_lazy("Billing account is active and ready for project linking"),
    gettext_lazy("Billing account is archived"),
    gettext_lazy("Billing account is closed"),
    gettext_lazy("a notice (%(about)s) was given up after %(number)s attempts"),
    gettext_lazy("approved by request %(request)s"),
    gettext_lazy("bindings of %(project)s in the future begin and end at %(at)s"),
    gettext_lazy("established at %(at)s"),
    gettext_lazy("established at %(at)s, ended at %(end)s"),
    gettext_lazy("instead of %(older)s"),
    gettext_lazy("nobody pays for new projects"),
    gettext_lazy("now paid for by %(account)s"),
    gettext_lazy("pays for %(project)s by payer change %(change)s"),
    gettext_lazy("pays for %(project)s from now on"),
    gettext_lazy("project %(project)s was archived"),
    gettext_lazy("recounted from the affiliations"),
    gettext_lazy("the clock was wrong"),
    gettext_lazy("the retention of personal data has ended"),
)
# the API calls the preview by its name
_OTHERWISE = {
    "%(number)d projects cannot move as things are: the subresource preview names them": gettext_lazy(
        "Projects that cannot move as things are: %(number)s. The preview names them."
    ),
}
_PHASED = (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    PayerChange,
    PayerChangeItem,
)
register_texts(
    _TEXTS,
    instead=_OTHERWISE,
    labels={
        "phase": {phase.value: phase.label for model in _PHASED for phase in model.Phase},
        "payer": {payer.value: payer.label for payer in BillingAccountAffiliation.Payer},
        "act": {act.value: act.label for act in ApprovalRequest.Action},
    },
)
