"""The read-only list and page of suspensions; an account's page opens and resolves them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import ACCOUNTS
from billing.models import Suspension
from milo.admin.actors import request_actor
from milo.admin.attention import attention
from milo.admin.json_searches import JsonSearches
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import Attention, link, pairs
from milo.admin.related_filters import RelatedFilter


@admin.register(Suspension)
class SuspensionAdmin(JsonSearches, LedgerAdmin):
    resource = ACCOUNTS
    icon = "block"
    nothing_yet = gettext_lazy("An account is suspended by a button on its page.")
    list_display = ("reason_code", "account_link", "suspended_at", "suspended_by", "resolved_at", "resolved_by")
    list_filter = (
        ("account__organization", RelatedFilter),
        ("account", RelatedFilter),
        ("reason_code", ChoicesDropdownFilter),
        ("resolved_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("account",)
    search_fields = ("account__name", "suspended_by", "resolved_by", "uid")
    json_search_fields = ("evidence",)
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "account_link",
                    "reason_code",
                    "message",
                    "internal_note",
                    "suspended_at",
                    "suspended_by",
                    "evidence_given",
                    "resolved_at",
                    "resolved_by",
                    "uid",
                )
            },
        ),
    )

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: Suspension) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("evidence"))
    def evidence_given(self, row: Any) -> str:
        return pairs(row.evidence or {})

    def attention(self, request: HttpRequest) -> list[Attention]:
        resolves = request_actor(request).may("create", ACCOUNTS, None, action="resolvesuspension")
        page = self.list_address(resolved_at__isempty=1)
        title = _("Suspensions without resolution")
        return [attention(title, Suspension.objects.open(), "suspended_at", page, daily=resolves)]
