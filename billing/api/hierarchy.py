"""Where an account stands among others: `status.hierarchy` and `.effective`, readings `hierarchy`, `payerofrecord`."""

from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api.examples_of_affiliations import HIERARCHY as HIERARCHY_EXAMPLE
from billing.api.examples_of_affiliations import PAYER_OF_RECORD as PAYER_EXAMPLE
from billing.api.usage_reports import MonthField
from billing.models import BillingAccount
from billing.services.affiliations.specs import present_month
from billing.services.affiliations.trees import Tree
from milo import continue_tokens
from milo.access import Actor
from milo.errors import Cause, Invalid
from milo.kube.fields import CountField, InstantField, ReferenceSerializer
from milo.kube.kinds import ReadSubresource
from milo.kube.store.manifests import without_empty

AT_MOST = 1000
"""Accounts on one page."""
_PURPOSE = "accounts of hierarchy"
_AT = MonthField(
    required=False, help_text=gettext_lazy("The month of the usage (UTC), such as 2027-02; now by default.")
)
_KNOWN = InstantField(
    required=False,
    help_text=gettext_lazy("As the ledger knew it at this instant (RFC 3339); as it knows now by default."),
)


class HierarchyStatusSerializer(serializers.Serializer[Any]):
    parent = ReferenceSerializer(required=False, help_text=gettext_lazy("The account directly above."))
    payerOfRecord = ReferenceSerializer(help_text=gettext_lazy("Who is invoiced for the account."))
    depth = serializers.IntegerField(help_text=gettext_lazy("Its level: 1 where nothing is above it."))
    subAccountsCount = serializers.IntegerField(help_text=gettext_lazy("Number of accounts directly below."))


class EffectiveSerializer(serializers.Serializer[Any]):
    payerOfRecord = ReferenceSerializer(help_text=gettext_lazy("Who is invoiced for the account."))
    paymentTermsFrom = ReferenceSerializer(help_text=gettext_lazy("Whose payment terms count."))
    paymentProfileFrom = ReferenceSerializer(help_text=gettext_lazy("Whose payment profile counts."))


class PayerOfRecordQuerySerializer(serializers.Serializer[Any]):
    at = _AT
    knownAt = _KNOWN


class PayerOfRecordSerializer(serializers.Serializer[Any]):
    account = serializers.CharField(help_text=gettext_lazy("Name of the account."))
    month = serializers.CharField(help_text=gettext_lazy("The month of the usage."))
    payerOfRecord = serializers.CharField(help_text=gettext_lazy("Who is invoiced for its usage in that month."))
    above = serializers.ListField(
        child=serializers.CharField(), required=False, help_text=gettext_lazy("The accounts above, the nearest first.")
    )


_PARAMETERS: dict[str, Any] = {
    "at": _AT,
    "knownAt": _KNOWN,
    "depth": CountField(
        required=False, min_value=1, max_value=20, help_text=gettext_lazy("Levels below the account; all by default.")
    ),
    "limit": CountField(
        required=False,
        min_value=1,
        max_value=AT_MOST,
        help_text=gettext_lazy("Accounts on one page, at most 1000; a CSV file has all of them."),
    ),
    "continue": serializers.CharField(
        required=False,
        max_length=400,
        help_text=gettext_lazy("The metadata.continue of the previous page, for the next one."),
    ),
}
# `continue` is a Python keyword, so the class statement cannot name the field
HierarchyQuerySerializer: type[serializers.Serializer[Any]] = type(
    "HierarchyQuerySerializer", (serializers.Serializer,), _PARAMETERS
)
HierarchyPageSerializer: type[serializers.Serializer[Any]] = type(
    "HierarchyPageSerializer",
    (serializers.Serializer,),
    {"continue": serializers.CharField(help_text=gettext_lazy("Value of the parameter continue for the next page."))},
)


class HierarchyItemSerializer(serializers.Serializer[Any]):
    account = serializers.CharField(help_text=gettext_lazy("Name of the account."))
    parent = serializers.CharField(  # type: ignore[assignment]  # the metaclass takes it away
        required=False, help_text=gettext_lazy("The account directly above.")
    )
    depth = serializers.IntegerField(help_text=gettext_lazy("Its level: 1 where nothing is above it."))
    payerOfRecord = serializers.CharField(help_text=gettext_lazy("Who is invoiced for its usage in that month."))
    phase = serializers.CharField(help_text=gettext_lazy("Phase of the account now."))


class HierarchySerializer(serializers.Serializer[Any]):
    metadata = HierarchyPageSerializer(required=False, help_text=gettext_lazy("Left out on the last page."))
    month = serializers.CharField(help_text=gettext_lazy("The month of the usage."))
    items = HierarchyItemSerializer(many=True, help_text=gettext_lazy("The account and all below it, breadth first."))


def hierarchy_status(row: BillingAccount) -> dict[str, Any]:
    """Return `status.hierarchy` of an account of `with_hierarchy`; empty if none is above or below it."""
    parent, below = getattr(row, "parent_name", None), getattr(row, "sub_accounts_count", 0)
    if not parent and not below:
        return {}
    return without_empty(
        {
            "parent": parent and {"name": parent},
            "payerOfRecord": {"name": row.payer_name or row.name},  # type: ignore[attr-defined]
            "depth": (row.accounts_above or 0) + 1,  # type: ignore[attr-defined]
            "subAccountsCount": below,
        }
    )


def effective_status(row: BillingAccount) -> dict[str, Any]:
    """Return `status.effective` of an account of `with_hierarchy`; empty if it is under no other."""
    if not getattr(row, "parent_name", None):
        return {}
    # its own terms and profile are dormant while another pays
    payer = row.payer_name or row.name  # type: ignore[attr-defined]
    return {each: {"name": payer} for each in ("payerOfRecord", "paymentTermsFrom", "paymentProfileFrom")}


def _tree(row: BillingAccount, query: dict[str, Any]) -> tuple[date, Tree]:
    month = query.get("at") or present_month()
    return month, Tree.of(row.organization_id, month, known_at=query.get("knownAt"))


def _payer_of_record(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    month, tree = _tree(row, query)
    above, payer_id = tree.above(row.pk), tree.payer(row.pk)
    names = dict(BillingAccount.objects.filter(pk__in=[*above, payer_id]).values_list("pk", "name"))
    return without_empty(
        {
            "account": row.name,
            "month": f"{month:%Y-%m}",
            "payerOfRecord": names[payer_id],
            "above": [names[key] for key in above],
        }
    )


def _payer_table(answer: dict[str, Any]) -> Any:
    yield ("account", "month", "payerOfRecord", "above")
    yield (answer["account"], answer["month"], answer["payerOfRecord"], " ".join(answer.get("above", ())))


def _hierarchy(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    month, tree = _tree(row, query)
    depths = {row.pk: tree.depth(row.pk)}
    for key in tree.subtree(row.pk):
        depths.update(dict.fromkeys(tree.children.get(key, ()), depths[key] + 1))
    most = depths[row.pk] + query["depth"] if "depth" in query else None
    keys = [key for key in tree.subtree(row.pk) if most is None or depths[key] <= most]
    start = _after(query["continue"], row, keys) if "continue" in query else 0
    limit = query.get("limit", AT_MOST)
    page = keys[start : start + limit]
    concerned = {*page, *(tree.payer(key) for key in page), *filter(None, map(tree.parent, page))}
    accounts = BillingAccount.objects.only("name", "phase").in_bulk(concerned)
    items = [
        without_empty(
            {
                "account": accounts[key].name,
                "parent": accounts[parent].name if (parent := tree.parent(key)) else "",
                "depth": depths[key],
                "payerOfRecord": accounts[tree.payer(key)].name,
                "phase": accounts[key].phase,
            }
        )
        for key in page
    ]
    more = start + limit < len(keys)
    metadata = {"metadata": {"continue": continue_tokens.seal([row.pk, page[-1]], _PURPOSE)}} if more else {}
    return metadata | {"month": f"{month:%Y-%m}", "items": items}


def _after(token: str, row: BillingAccount, keys: list[int]) -> int:
    try:
        account_id, last = continue_tokens.unseal(token, _PURPOSE)
    except continue_tokens.Malformed:
        account_id = last = 0
    if account_id != row.pk or last not in keys:
        message = _("is no token of this hierarchy; begin again without it")
        raise Invalid.because([Cause("query.continue", message)])
    return keys.index(last) + 1


PAYER_OF_RECORD = ReadSubresource(
    "payerofrecord",
    _payer_of_record,
    PayerOfRecordQuerySerializer,
    PayerOfRecordSerializer,
    gettext_lazy("Who is invoiced for the usage of the account in a month, and which accounts are above it."),
    PAYER_EXAMPLE,
    table=_payer_table,
)
HIERARCHY = ReadSubresource(
    "hierarchy",
    _hierarchy,
    HierarchyQuerySerializer,
    HierarchySerializer,
    gettext_lazy("The account and all below it in a month, level by level; in pages, or all of them as CSV."),
    HIERARCHY_EXAMPLE,
)
