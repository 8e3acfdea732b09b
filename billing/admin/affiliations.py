"""The list and the page of affiliations: which account is under which other, since when, and what is planned."""

from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import AFFILIATIONS
from billing.admin.affiliation_actions import CancelAffiliation
from billing.admin.wording import said
from billing.models import BillingAccountAffiliation
from billing.models.affiliation import BillingAccountAffiliationQuerySet
from billing.services.affiliations import rules
from billing.services.affiliations.proposals import propose
from milo.admin.attention import attention
from milo.admin.messages import refusal_text
from milo.admin.panels import Attention, Panel, badge, lines, link, month_text
from milo.admin.reasons import coded
from milo.admin.related_filters import RelatedFilter
from milo.admin.resources import METADATA
from milo.admin.viewed import ViewedAdmin, ViewFilter

VIEW, PLANNED, AT_RISK, ACTIVE, FAILED = "view", "planned", "at-risk", "in-force", "failed"
VIEWS = (
    (PLANNED, gettext_lazy("Planned")),
    (AT_RISK, gettext_lazy("Will not take effect")),
    (ACTIVE, gettext_lazy("In force")),
    (FAILED, gettext_lazy("Failed")),
)
_OBSTACLE_LENGTH = 160
Phase = BillingAccountAffiliation.Phase


def selected(view: str, rows: BillingAccountAffiliationQuerySet) -> BillingAccountAffiliationQuerySet:
    """Return the affiliations of a view; all of them for none. What is planned is in the order of its months."""
    if view == PLANNED:
        return rows.scheduled().order_by("effective_from", "pk")
    if view == AT_RISK:
        return rows.scheduled().exclude(obstacle="").order_by("effective_from", "pk")
    if view == ACTIVE:
        return rows.active()
    return rows.filter(phase=Phase.FAILED) if view == FAILED else rows


class AffiliationViews(ViewFilter):
    parameter_name = VIEW
    views = VIEWS

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[BillingAccountAffiliation]:
        return selected(self.value() or "", queryset)


@admin.register(BillingAccountAffiliation)
class BillingAccountAffiliationAdmin(ViewedAdmin):
    resource = AFFILIATIONS
    icon = "account_tree"
    nothing_yet = gettext_lazy("An account is placed under another by a button on its page.")
    phase_colors = {"Active": "success", "Scheduled": "info", "Failed": "danger"}
    view_filter = AffiliationViews
    list_display = (
        "name",
        "account_link",
        "parent_link",
        "payer",
        "month",
        "phase_badge",
        "in_the_way",
        "created_by",
    )
    export_display = (
        "name",
        "organization",
        "account",
        "parent",
        "payer",
        "month",
        "end_month",
        "phase",
        "obstacle",
        "outcome",
        "created_by",
        "reason",
        "uid",
    )
    list_filter = (
        AffiliationViews,
        ("organization", RelatedFilter),
        ("account", RelatedFilter),
        ("parent", RelatedFilter),
        ("payer", ChoicesDropdownFilter),
        ("phase", ChoicesDropdownFilter),
    )
    list_select_related = ("account", "parent", "organization")
    search_fields = ("name", "account__name", "parent__name", "organization__name", "created_by", "uid")
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "organization_link",
                    "account_link",
                    "parent_link",
                    "payer",
                    "month",
                    "phase_badge",
                    "reason",
                    "created_by",
                    "activated_at",
                    "end_month",
                    "outcome_text",
                    "supersedes_link",
                    "superseded_by_link",
                )
            },
        ),
        METADATA,
    )
    object_actions = (CancelAffiliation,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillingAccountAffiliation]:
        rows: QuerySet[BillingAccountAffiliation] = super().get_queryset(request)
        return rows.select_related("organization", "account", "parent", "supersedes", "superseded_by")

    @admin.display(description=gettext_lazy("organization"), ordering="organization__name")
    def organization_link(self, row: BillingAccountAffiliation) -> str:
        return link(row.organization)

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: BillingAccountAffiliation) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("parent"), ordering="parent__name")
    def parent_link(self, row: BillingAccountAffiliation) -> str:
        return link(row.parent)

    @admin.display(description=gettext_lazy("from month"), ordering="effective_from")
    def month(self, row: BillingAccountAffiliation) -> str:
        return _month(row.effective_from)

    @admin.display(description=gettext_lazy("first month without it"))
    def end_month(self, row: BillingAccountAffiliation) -> str:
        return _month(row.ended_from) if row.ended_from else "-"

    @admin.display(description=gettext_lazy("what stands in its way"))
    def in_the_way(self, row: BillingAccountAffiliation) -> str:
        """Return why it will not take effect as of the last look, or did not."""
        text = row.obstacle or (row.outcome if row.phase == Phase.FAILED else "")
        if text:
            return Truncator(refusal_text(text)).chars(_OBSTACLE_LENGTH)
        return _("nothing") if row.phase == Phase.SCHEDULED else "-"

    @admin.display(description=BillingAccountAffiliation._meta.get_field("outcome").verbose_name)
    def outcome_text(self, row: BillingAccountAffiliation) -> str:
        return said(row.outcome)

    @admin.display(description=gettext_lazy("supersedes"))
    def supersedes_link(self, row: BillingAccountAffiliation) -> str:
        return link(row.supersedes)

    @admin.display(description=gettext_lazy("superseded by"))
    def superseded_by_link(self, row: BillingAccountAffiliation) -> str:
        return link(getattr(row, "superseded_by", None))

    def panels(self, request: HttpRequest, row: BillingAccountAffiliation) -> list[Panel]:
        return [*_foresight(row), *super().panels(request, row)]

    def attention(self, request: HttpRequest) -> list[Attention]:
        rows = selected(AT_RISK, BillingAccountAffiliation.objects.all())
        page = self.list_address(**{VIEW: AT_RISK})
        return [attention(_("Accounts that will not come under another"), rows, "created_at", page)]


def _month(day: date) -> str:
    return coded(f"{day:%Y-%m}", month_text(day))


def _foresight(row: BillingAccountAffiliation) -> list[Panel]:
    """Return whether a plan would become a fact as things are at this moment, and every cause where it would not."""
    if row.phase != Phase.SCHEDULED:
        return []
    paid_by_parent = row.payer == BillingAccountAffiliation.Payer.PARENT
    proposed = propose(row.account, row.parent, paid_by_parent, row.effective_from)
    causes = [refusal_text(cause.message) for cause in rules.fact_causes(row, proposed)[: rules.LISTED]]
    will = badge(_("will not take effect"), "danger") if causes else badge(_("will take effect"), "success")
    return [
        Panel(
            _("What stands in its way now"),
            [_("From month"), _("As things are"), _("What stands in its way")],
            [[month_text(row.effective_from), will, lines(causes) if causes else _("nothing")]],
        )
    ]
