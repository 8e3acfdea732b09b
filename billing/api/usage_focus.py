"""The FOCUS export of a month's usage of an account, streamed as CSV or Parquet."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request

from billing.api.kinds import BillingAccountKind
from billing.api.usage_files import PARQUET, CsvFile, FocusFile, ParquetFile
from billing.api.usage_reports import MonthField
from billing.models import BillingAccount
from billing.services.usage.exports import bill_of, page
from billing.usage.focus import Bill, row
from milo.kube import queries
from milo.kube.discovery.endpoints import register_file
from milo.kube.store.revisions import in_thread
from milo.kube.views import KubeView
from milo.kube.wire.negotiation import wants


class FocusQuerySerializer(serializers.Serializer[Any]):
    """The month, and the format for clients that cannot set Accept."""

    period = MonthField(help_text=gettext_lazy("The month of the bill, such as 2026-11."))
    format = serializers.ChoiceField(
        ["csv", "parquet"], required=False, help_text=gettext_lazy("Overrides Accept; CSV by default.")
    )


class UsageFocusView(KubeView):
    """`GET .../usage/focus?period=2026-11`, with the permission to get the account."""

    kind = BillingAccountKind()

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        account: BillingAccount = self.row()
        query = queries.read(FocusQuerySerializer, request.GET)
        period = query["period"]
        form = query.get("format") or ("parquet" if wants(PARQUET, request.headers.get("Accept", "")) else "csv")
        file: FocusFile = ParquetFile() if form == "parquet" else CsvFile()
        headers = {"Content-Disposition": f'attachment; filename="{account.name}-{period:%Y-%m}.{file.suffix}"'}
        parts = _parts(file, account, bill_of(account, period))
        return StreamingHttpResponse(parts, content_type=file.content_type, headers=headers)


async def _parts(file: FocusFile, account: BillingAccount, bill: Bill) -> AsyncIterator[bytes]:
    yield file.begin()
    last = 0
    while True:
        part, last = await in_thread(_part, file, account, bill, last)
        yield part
        if not last:
            return


def _part(file: FocusFile, account: BillingAccount, bill: Bill, after: int) -> tuple[bytes, int]:
    """Return the bytes of the next page and its cursor: the key of its last row, 0 once the file has ended."""
    usages, last = page(account, bill.period, after)
    return file.add(row(bill, usage) for usage in usages) if usages else file.end(), last


register_file(UsageFocusView.kind, "usage/focus", UsageFocusView)
