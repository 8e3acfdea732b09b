"""Actions on projects that change the payer: bind and archive."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from billing.access import BINDINGS
from billing.admin.payer_change_actions import change_facts, usage_of_month
from billing.models import BillingAccount, BillingAccountBinding
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.bindings import bind
from billing.services.locked_payers import why_locked
from billing.services.notices import outbox
from billing.services.payer_changes import plans
from billing.services.payer_changes.previews import Preview, preview_of_bind
from billing.services.projects import archive_project
from milo import audit
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import Paragraph, Text
from milo.admin.panels import lines, link, moment
from milo.admin.resources import SeenAction, SeenForm
from milo.admin.suggestions import SuggestedRow
from projects.access import PROJECTS
from projects.models import Project


def active_binding(project: Project) -> BillingAccountBinding | None:
    """Return the binding in force now; None if nobody pays."""
    return BillingAccountBinding.objects.paying().filter(project=project).select_related("account").first()


def payer_of(binding: BillingAccountBinding | None) -> Any:
    """Return the payer of a binding and since when it pays, as HTML; 'nobody' for None."""
    if binding is None:
        return _("nobody")
    return lines([f"{binding.account}", _("since %(at)s") % {"at": moment(binding.established_at)}])


def lock_fact(project: Project) -> Facts:
    """Return why the payer of a project is locked, as a fact above a form; nothing if it is not."""
    return [(_("Payer lock"), why) for why in why_locked([project.pk]).values()]


class BindForm(SeenForm):
    """Offer the Ready accounts of the organization; the service refuses all others with the reason."""

    account = SuggestedRow(BillingAccount.objects.none(), label=gettext_lazy("Billing account that will pay"))
    name = Text(max_length=63, label=gettext_lazy("Name of the new binding"))
    reason = Paragraph(label=gettext_lazy("Reason"))

    paths = {"metadata.name": "name", ACCOUNT_FIELD: "account", plans.REASON_FIELD: "reason"}
    row: Project

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = BillingAccount.objects.filter(organization_id=self.row.organization_id)
        field: Any = self.fields["account"]
        field.queryset, field.offered = accounts, accounts.filter(phase=BillingAccount.Phase.READY)
        field.label_of = lambda payer: f"{payer.name} ({payer.currency_code})"


class BindProject(SeenAction):
    name = "bind"
    title = gettext_lazy("Bind to account")
    icon = "link"
    variant = ActionVariant.PRIMARY
    verb, resource = "create", BINDINGS
    form_class = BindForm
    previews = True
    shown: Preview | None = None

    @classmethod
    def offered(cls, row: Project) -> bool:
        return row.phase == Project.Phase.ACTIVE

    def get_initial(self) -> dict[str, Any]:
        number = BillingAccountBinding.objects.filter(project=self.row).count() + 1
        return {**super().get_initial(), "name": f"{self.row.name[:50].rstrip('-')}-payer-{number}"}

    def facts(self) -> Facts:
        pays, item = payer_of(active_binding(self.row)), plans.open_item(self.row.pk)
        planned = [(_("Planned payer change"), link(item.change))] if item else []
        return [(_("Project"), link(self.row)), (_("Who pays now"), pays), *lock_fact(self.row), *planned]

    def obstacle(self) -> str:
        item = plans.open_item(self.row.pk)
        # one that is due takes effect first
        return plans.refusal(item) if item and item.effective_at > timezone.now() else ""

    def preview(self, values: dict[str, Any]) -> Facts:
        assert self.shown
        active, account = active_binding(self.row), values["account"]
        ends = (
            _("%(binding)s is superseded the instant the new one begins") % {"binding": active} if active else _("none")
        )
        return [
            (_("Pays from then on"), lines([account.name, account.display_name, account.currency_code])),
            (_("Binding that begins"), values["name"]),
            (_("Binding that ends"), ends),
            (_("Notices reach until then"), lines(self._recipients(active.account if active else None))),
            (_("Notices reach from then on"), lines(self._recipients(account))),
            (_("Usage of this month that stays with who paid then"), lines(usage_of_month(self.shown))),
            *change_facts(self.shown),
            (_("Reason"), values["reason"]),
        ]

    def _recipients(self, account: BillingAccount | None) -> list[str]:
        """Return who reads the notices about the project while `account` pays."""
        contacts = outbox.contacts_of(account) if account else []
        return sorted({*contacts, *self.row.contact_email_addresses})

    def call(self, values: dict[str, Any], *, actor: Actor) -> Project:
        project: Project = self.row
        with audit.transaction():
            binding = bind(
                project.organization_id,
                values["name"],
                project.name,
                values["account"].name,
                why=values["reason"],
                actor=actor,
            )
            if audit.is_dry_run():
                self.shown = preview_of_bind(binding)
        return project

    def message(self, row: Project) -> str:
        binding = active_binding(row)
        return _("%(account)s pays for %(project)s from now on.") % {
            "account": binding.account if binding else "-",
            "project": row,
        }


class ArchiveProject(ServiceAction):
    name = "archive"
    title = gettext_lazy("Archive")
    icon = "archive"
    variant = ActionVariant.DANGER
    verb, resource, action = "create", PROJECTS, "archive"

    @classmethod
    def offered(cls, row: Project) -> bool:
        return row.phase == Project.Phase.ACTIVE

    def facts(self) -> Facts:
        active = active_binding(self.row)
        return [
            (_("Project"), link(self.row)),
            (_("Who pays now"), payer_of(active)),
            *lock_fact(self.row),
            (_("Binding that ends"), link(active) if active else _("none")),
            (_("What will happen"), _("The project is archived for ever; nobody pays for it any more.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Project:
        return archive_project(self.row.pk, actor=actor)
