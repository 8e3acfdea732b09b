"""The list and the page of billing accounts."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import ACCOUNTS
from billing.admin.account_actions import OpenAccount, ReviseAccount
from billing.admin.account_attention import (
    CountryFilter,
    CurrencyFilter,
    WaitingFilter,
    account_attention,
    account_charts,
)
from billing.admin.account_filters import AgeFilter, ChargesFilter, OpenedBetween, OpenedFilter, ReasonFilter
from billing.admin.account_header import AccountHeader, account_header
from billing.admin.account_tabs import ARCHIVE, account_tabs
from billing.admin.account_tree import TreePages
from billing.admin.affiliation_actions import PlaceUnder
from billing.admin.compliance import ComplianceDrift
from billing.admin.holds import SetHold
from billing.admin.localized_names import country_name
from billing.admin.payer_change_actions import MoveFromAccount
from billing.admin.request_actions import REQUESTS
from billing.admin.suspension_actions import ResolveSuspension, SuspendAccount
from billing.admin.timeline import TimelinePages
from billing.admin.usage import FocusPage, RequestAssignment, UsagePages
from billing.admin.wording import MORE_ACTIONS, label, readable
from billing.compliance.tax_registrations import checked
from billing.models import BillingAccount
from billing.payment_profile.profiles import method_of
from billing.services.retention.archival import archive_on
from billing.services.retention.plans import planned
from milo.admin.json_searches import JsonSearches
from milo.admin.ledger import LedgerAdmin
from milo.admin.messages import refusal_text
from milo.admin.panels import Attention, Panel, day_text, instant, lines, link, number_text
from milo.admin.reasons import reason
from milo.admin.related_filters import RelatedFilter
from milo.admin.resources import METADATA
from milo.admin.tabs import Tab, open_tab


@admin.register(BillingAccount)
class BillingAccountAdmin(JsonSearches, FocusPage, UsagePages, TimelinePages, TreePages, LedgerAdmin):
    """Lists accounts; an account's page shows spec, status and all that refers to it, and offers its actions."""

    resource = ACCOUNTS
    icon = "credit_card"
    nothing_yet = gettext_lazy("The first account is opened by the button above, or on the page of its organization.")
    phase_colors = {"Ready": "success", "Provisioning": "info", "Incomplete": "warning", "Suspended": "danger"}
    list_display = (
        "name",
        "display_name",
        "organization_link",
        "currency_code",
        "phase_badge",
        "linked_projects_count",
        "created_at",
    )
    export_display = (
        "name",
        "display_name",
        "organization_link",
        "country",
        "currency_code",
        "phase",
        "phase_reason",
        "phase_since",
        "linked_projects_count",
        "created_at",
        "uid",
    )
    list_filter = (
        ("organization", RelatedFilter),
        ("phase", ChoicesDropdownFilter),
        CurrencyFilter,
        CountryFilter,
        WaitingFilter,
        ReasonFilter,
        ChargesFilter,
        AgeFilter,
        OpenedFilter,
        ("created_at", OpenedBetween),
    )
    list_select_related = ("organization",)
    search_fields = ("name", "display_name", "organization__name", "uid")
    json_search_fields = ("invoice_email_addresses", "payment_profile", "e_invoicing")
    number_search_fields = ("tax_registrations", "payment_profile")
    ordering = ("name",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "display_name",
                    "organization_link",
                    "phase_badge",
                    "reason",
                    "message",
                    "phase_since",
                    "first_ready_at",
                )
            },
        ),
        (
            gettext_lazy("Terms and payment"),
            {
                "fields": (
                    "currency_code",
                    "net_days",
                    "invoice_frequency",
                    "invoice_day_of_month",
                    "anchor_month",
                    "business_day_convention",
                    "early_payment_discount",
                    "late_payment_penalty",
                    "extended_terms_agreed",
                    "payment_method",
                    "invoice_contacts",
                )
            },
        ),
        (
            gettext_lazy("Regional preferences"),
            {
                "fields": (
                    "country_named",
                    "customer_kind",
                    "tax_numbers",
                    "invoice_language",
                    "invoice_format",
                    "e_invoices",
                    "data_residency",
                )
            },
        ),
        METADATA,
    )
    retention = (
        gettext_lazy("Retention"),
        {"fields": ("closed_at", "archival", "archive_sha256", "purge", "pseudonymised_on")},
    )
    change_form_outer_before_template = "billing/admin/account_header.html"
    greyed_menu = MORE_ACTIONS
    list_actions = (OpenAccount,)
    list_reports = (ComplianceDrift,)
    object_actions = (
        ReviseAccount,
        MoveFromAccount,
        PlaceUnder,
        *REQUESTS,
        RequestAssignment,
        SetHold,
        ResolveSuspension,
        SuspendAccount,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillingAccount]:
        accounts: QuerySet[BillingAccount] = super().get_queryset(request).with_linked_projects_count()
        return accounts

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields of the open tab; those of other tabs than the first and the one of retention are panels."""
        tab = open_tab(request, account_tabs(request, obj)) if obj else None
        if tab is None:
            return super().get_fieldsets(request, obj)
        return [self.retention] if tab.name == ARCHIVE else []

    @admin.display(description=gettext_lazy("archived"))
    def archival(self, row: BillingAccount) -> str:
        if row.archived_at:
            return instant(row.archived_at)
        return _("on %(day)s at the earliest") % {"day": day_text(archive_on(row))}

    @admin.display(description=gettext_lazy("purge of personal data"))
    def purge(self, row: BillingAccount) -> str:
        plan = planned(row, timezone.now().date())
        if plan.holds:
            return _("not while a hold is open")
        if plan.kept_for:
            return _("not while data of %(account)s are kept, for which it paid") % {"account": plan.kept_for}
        return (
            _("on %(day)s at the earliest") % {"day": day_text(plan.purge_on)}
            if plan.purge_on
            else _("no date is known")
        )

    @admin.display(description=gettext_lazy("reason"))
    def reason(self, row: BillingAccount) -> str:
        return reason(row.phase_reason)

    @admin.display(description=gettext_lazy("organization"), ordering="organization__name")
    def organization_link(self, row: BillingAccount) -> str:
        return link(row.organization)

    @admin.display(description=gettext_lazy("projects"), ordering="linked_projects_count")
    def linked_projects_count(self, row: Any) -> int:
        count: int = row.linked_projects_count
        return count

    @admin.display(description=BillingAccount._meta.get_field("phase_message").verbose_name)
    def message(self, row: BillingAccount) -> str:
        return refusal_text(row.phase_message) or "-"

    @admin.display(description=gettext_lazy("payment method"))
    def payment_method(self, row: BillingAccount) -> str:
        profile = row.payment_profile or {}
        method = method_of(profile)
        return (
            lines([label(method), *(readable({name: text}) for name, text in profile[method].items())])
            if method
            else "-"
        )

    @admin.display(description=gettext_lazy("early payment discount"))
    def early_payment_discount(self, row: BillingAccount) -> str:
        discount = row.payment_terms.as_json().get("earlyPaymentDiscount")
        if not discount:
            return "-"
        return _("%(percent)s%% within %(days)d days") % {**discount, "percent": number_text(discount["percent"])}

    @admin.display(description=gettext_lazy("late payment penalty"))
    def late_payment_penalty(self, row: BillingAccount) -> str:
        penalty = row.payment_terms.as_json().get("latePaymentPenalty")
        if not penalty:
            return "-"
        rate = number_text(penalty["annualRatePercent"])
        return _("%(annualRatePercent)s%% a year after %(graceDays)d days") % {**penalty, "annualRatePercent": rate}

    @admin.display(description=BillingAccount._meta.get_field("country").verbose_name)
    def country_named(self, row: BillingAccount) -> str:
        return country_name(row.country) or "-"

    @admin.display(description=gettext_lazy("tax registrations"))
    def tax_numbers(self, row: BillingAccount) -> str:
        today = timezone.now().date()
        registrations = [checked(registration, today) for registration in row.preferences.tax_registrations]
        unknown = _("unknown")
        return lines(f"{it.country} {it.number} ({it.name or it.scheme or unknown})" for it in registrations)

    @admin.display(description=gettext_lazy("e-invoicing"))
    def e_invoices(self, row: BillingAccount) -> str:
        e_invoicing = row.preferences.e_invoicing.as_json()
        return lines(
            [
                *([e_invoicing["standard"]] if "standard" in e_invoicing else []),
                *(f"{name}: {value}" for name, value in e_invoicing.get("identifiers", {}).items()),
            ]
        )

    @admin.display(description=gettext_lazy("invoice e-mail addresses"))
    def invoice_contacts(self, row: BillingAccount) -> str:
        return lines(row.invoice_email_addresses)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: BillingAccount = context["original"]
        context["account_header"] = self.header(row)
        return super().render_change_form(request, context, *args, **kwargs)

    def header(self, row: BillingAccount) -> AccountHeader:
        """Return the top of the account's page, and of each report about it."""
        return account_header(row, self.phase_badge(row), timezone.now().date())

    def tabs(self, request: HttpRequest, row: BillingAccount) -> Sequence[Tab]:
        return account_tabs(request, row)

    def attention(self, request: HttpRequest) -> list[Attention]:
        return account_attention(request)

    def charts(self, request: HttpRequest) -> list[Panel]:
        return account_charts()
