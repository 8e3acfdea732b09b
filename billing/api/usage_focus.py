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
from billing.services.affiliations.bills import SCOPES, SHOWBACK, bill_of_scope
from billing.services.affiliations.scopes import OWN
from billing.services.usage.exports import BEGINNING, Cursor, Selection, page
from billing.usage.focus import Bill, row
from milo import personal
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
    scope = serializers.ChoiceField(
        SCOPES,
        required=False,
        default=OWN,
        error_messages={"invalid_choice": gettext_lazy("must be own or paid")},
        help_text=gettext_lazy(
            "own: what is bound to the account, where nobody else is invoiced for it; paid: what the account is payer"
            " of record of, with x_ChildAccountId and x_ChildAccountName."
        ),
    )
    view = serializers.ChoiceField(
        [SHOWBACK],
        required=False,
        error_messages={"invalid_choice": gettext_lazy("must be showback")},
        help_text=gettext_lazy(
            "showback: what is bound to the account, whoever is invoiced for it; each row has x_Showback, and is no"
            " bill."
        ),
    )


class UsageFocusView(KubeView):
    """`GET .../usage/focus?period=2026-11`, with the permission to get the account."""

    kind = BillingAccountKind()

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        account: BillingAccount = self.row()
        query = queries.read(FocusQuerySerializer, request.GET)
        form = query.get("format") or ("parquet" if wants(PARQUET, request.headers.get("Accept", "")) else "csv")
        view: str = query.get("view", "")
        bill, selection = bill_of_scope(account, query["period"], query["scope"], view)
        file: FocusFile = (ParquetFile if form == "parquet" else CsvFile)(bill.columns)
        # a file that is no bill of its own does not bear the name of one
        kind = "".join(f"-{word}" for word in (query["scope"], view) if word not in ("", OWN))
        name = f"{account.name}-{bill.period:%Y-%m}{kind}.{file.suffix}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        parts = _parts(file, bill, selection, self.hides)
        return StreamingHttpResponse(parts, content_type=file.content_type, headers=headers)


async def _parts(file: FocusFile, bill: Bill, selection: Selection, hides: bool) -> AsyncIterator[bytes]:
    yield file.begin()
    cursor: Cursor | None = BEGINNING
    while cursor:
        part, cursor = await in_thread(_part, file, bill, selection, hides, cursor)
        yield part


def _part(file: FocusFile, bill: Bill, selection: Selection, hides: bool, after: Cursor) -> tuple[bytes, Cursor | None]:
    """Return the bytes of the next page and its cursor, None once the file has ended; `hides` masks personal data."""
    usages, cursor = page(bill, selection, after)
    if not usages:
        return file.end(), cursor
    rows = (row(bill, usage) for usage in usages)
    return file.add(map(personal.masked, rows) if hides else rows), cursor


register_file(UsageFocusView.kind, "usage/focus", UsageFocusView)
