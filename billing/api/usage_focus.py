"""The FOCUS export of a month's usage of an account, streamed as CSV."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request

from billing.api.kinds import BillingAccountKind
from billing.api.usage_reports import MonthField
from billing.models import BillingAccount
from billing.services.usage_exports import bill_of, page
from billing.usage.focus import COLUMNS, Bill, row
from milo.kube import objects
from milo.kube.negotiation import CSV, csv_text
from milo.kube.revisions import in_thread
from milo.kube.views import KubeView


class PeriodSerializer(serializers.Serializer[Any]):
    period = MonthField(help_text=_("The month of the bill, such as 2026-11."))


class UsageFocusView(KubeView):
    """`GET .../usage/focus?period=2026-11`; whoever may get the account may read it."""

    kind = BillingAccountKind()
    # no JSON, which the documents are about
    schema = None

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        account: BillingAccount = self.row()
        period = objects.validate(PeriodSerializer, request.GET.dict(), "query")["period"]
        headers = {"Content-Disposition": f'attachment; filename="{account.name}-{period:%Y-%m}.csv"'}
        lines = _lines(account, bill_of(account, period))
        return StreamingHttpResponse(lines, content_type=f"{CSV}; charset=utf-8", headers=headers)


async def _lines(account: BillingAccount, bill: Bill) -> AsyncIterator[bytes]:
    yield _csv([COLUMNS])
    last = 0
    while True:
        usages, last = await in_thread(page, account, bill.period, last)
        if not usages:
            return
        yield _csv(row(bill, usage) for usage in usages)


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    return csv_text(rows).encode()
