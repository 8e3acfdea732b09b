"""Lock and unlock the payer of a project, and the panel of its locks."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.access import LOCK_PAYER, UNLOCK_PAYER
from billing.admin.project_actions import active_binding, lock_fact, payer_of
from billing.models import BillingAccountBinding, PayerLock
from billing.services.payer_locks import lock_payer, unlock_payer
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Paragraph
from milo.admin.panels import Panel, first, instant, link
from projects.access import PROJECTS
from projects.models import Project


class PayerLockForm(ActForm):
    reason = Paragraph(
        max_length=2000,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Shown with the project, in refusals and in the history."),
    )

    paths = {"spec.reason": "reason", "message": "reason"}


class LockPayer(ServiceAction):
    name = "lock-payer"
    title = gettext_lazy("Lock payer")
    icon = "lock"
    verb, resource, action = "create", PROJECTS, LOCK_PAYER
    form_class = PayerLockForm

    @classmethod
    def offered(cls, row: Project) -> bool:
        paid = BillingAccountBinding.objects.paying().filter(project=row).exists()
        return paid and not PayerLock.objects.open().filter(project=row).exists()

    def facts(self) -> Facts:
        return [
            (_("Project"), link(self.row)),
            (_("Who pays now"), payer_of(active_binding(self.row))),
            (
                _("What will happen"),
                _("Until it is unlocked, no other account can pay for the project, and it cannot be archived."),
            ),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Project:
        return lock_payer(self.row.pk, **values, actor=actor)

    def message(self, row: Project) -> str:
        return _("The payer of %(project)s is locked.") % {"project": row}


class UnlockPayer(ServiceAction):
    name = "unlock-payer"
    title = gettext_lazy("Unlock payer")
    icon = "lock_open"
    verb, resource, action = "create", PROJECTS, UNLOCK_PAYER
    form_class = PayerLockForm

    @classmethod
    def offered(cls, row: Project) -> bool:
        return PayerLock.objects.open().filter(project=row).exists()

    def facts(self) -> Facts:
        return [(_("Project"), link(self.row)), *lock_fact(self.row)]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Project:
        return unlock_payer(self.row.pk, **values, actor=actor)

    def message(self, row: Project) -> str:
        return _("The payer of %(project)s is no longer locked.") % {"project": row}


def locks_panels(project: Project) -> list[Panel]:
    """Return a panel of the latest locks of a project's payer; none if it was never locked."""
    locks, _more = first(PayerLock.objects.filter(project=project).order_by("-pk"))
    if not locks:
        return []
    return [
        Panel(
            _("Payer locks"),
            [_("Locked at"), _("By"), _("Reason"), _("Unlocked at"), _("By"), _("Reason")],
            [
                [
                    instant(lock.locked_at),
                    lock.locked_by,
                    lock.reason,
                    instant(lock.unlocked_at),
                    lock.unlocked_by or "-",
                    lock.unlock_reason or "-",
                ]
                for lock in locks
            ],
        )
    ]
