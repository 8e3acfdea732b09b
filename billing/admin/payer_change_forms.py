"""The forms of payer changes: move, cancel and retry."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.wording import offer_accounts
from billing.models import BillingAccount
from milo.admin.forms import ActForm, Instant, Lines, Paragraph, Text, Tick
from milo.admin.suggestions import SuggestedRow
from projects.models import Organization


class MoveForm(ActForm):
    """Who pays, from when on, and why. Subclasses say which projects."""

    account = SuggestedRow(BillingAccount.objects.none(), label=gettext_lazy("Billing account that will pay"))
    effective_at = Instant(
        required=False,
        label=gettext_lazy("From when on (UTC)"),
        help_text=gettext_lazy("At most 1 year ahead. Empty: now."),
    )
    atomic = Tick(required=False, label=gettext_lazy("All or none, at most 200 projects"))
    reason = Paragraph(label=gettext_lazy("Reason"))
    name = Text(max_length=63, label=gettext_lazy("Name of the payer change"))

    paths = {
        "metadata.name": "name",
        "spec.toAccountRef.name": "account",
        "spec.effectiveAt": "effective_at",
        "spec.atomic": "atomic",
        "spec.reason": "reason",
    }

    def offer(self, organization_id: int, *names: str) -> None:
        """Offer the accounts of an organization that are not closed in the fields `names`."""
        accounts = BillingAccount.objects.filter(organization_id=organization_id).exclude(
            phase__in=BillingAccount.READ_ONLY
        )
        for name in names:
            offer_accounts(self.fields[name], accounts, accounts)


class MoveFromAccountForm(MoveForm):
    """All projects of the account."""

    paths = {**MoveForm.paths, "spec.fromAccountRef": "account"}
    row: BillingAccount

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(self.row.organization_id, "account")


class MoveNamedForm(MoveForm):
    """The projects by their names."""

    projects = Lines(
        label=gettext_lazy("Projects"), help_text=gettext_lazy("Their names, one per line."), required=False
    )
    field_order = ("organization", "projects", "source", "account")

    paths = {**MoveForm.paths, "spec.projects": "projects"}


class MoveOfOrganizationForm(MoveNamedForm):
    """Projects of an organization by their names, or all that one account pays for."""

    source = SuggestedRow(
        BillingAccount.objects.none(), required=False, label=gettext_lazy("Or all projects of this billing account")
    )

    paths = {**MoveNamedForm.paths, "spec.fromAccountRef": "source"}
    row: Organization

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(self.row.pk, "account", "source")

    def clean(self) -> dict[str, Any]:
        """Refuse both ways at once: whoever names some projects does not mean all of an account."""
        values = super().clean()
        if values.get("projects") and values.get("source"):
            self.add_error("projects", _("Name projects or the billing account that they leave, not both."))
        return values


class MoveListedForm(MoveNamedForm):
    """Projects of an organization that is still to be chosen."""

    organization = SuggestedRow(Organization.objects.all(), label=gettext_lazy("Organization"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["account"]
        field.queryset = BillingAccount.objects.exclude(phase__in=BillingAccount.READ_ONLY).select_related(
            "organization"
        )
        field.paths = (*field.paths, "organization__name")
        # names are unique in an organization alone
        field.label_of = lambda account: f"{account.name} ({account.organization.name})"


class CancelForm(ActForm):
    projects = Lines(
        required=False,
        label=gettext_lazy("Only these projects"),
        help_text=gettext_lazy("Their names, one per line. Empty: all that have not moved."),
    )
    reason = Paragraph(label=gettext_lazy("Reason"))

    paths = {"spec.reason": "reason", "spec.projects": "projects"}


class RetryForm(ActForm):
    reason = Paragraph(label=gettext_lazy("Reason"))

    paths = {"spec.reason": "reason"}
