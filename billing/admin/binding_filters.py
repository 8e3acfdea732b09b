"""Filters of the list of bindings beyond their columns."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from billing.models import ApprovalRequest, BillingAccountBinding
from billing.services.approvals import affiliations
from milo.keys import is_key

AFFILIATION = "affiliation"


class AffiliationFilter(DropdownFilter):
    """The accounts that a request to affiliate is about, however many; offered only by a link of its page."""

    title = gettext_lazy("request to affiliate")
    parameter_name = AFFILIATION

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(row.pk), row.name) for row in self._requests()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[BillingAccountBinding]
    ) -> QuerySet[BillingAccountBinding]:
        if not self.value():
            return queryset
        return queryset.filter(account__in={key for row in self._requests() for key in affiliations.concerned(row)})

    def _requests(self) -> QuerySet[ApprovalRequest]:
        key = self.value() or ""
        requests = ApprovalRequest.objects.filter(act=ApprovalRequest.Action.AFFILIATE).select_related("account")
        return requests.filter(pk=key) if is_key(key) else requests.none()
