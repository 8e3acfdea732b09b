"""The accounts above and below one: a tree that is read level by level, and all of it as a table, by month."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.admin.account_report import AccountReport
from billing.admin.wording import said
from billing.models import BillingAccount, BillingAccountAffiliation
from billing.services.affiliations.specs import present_month
from billing.services.affiliations.trees import Tree
from milo.admin.exports import respond_recorded
from milo.admin.forms import ActForm, Text
from milo.admin.pages import PageAdmin
from milo.admin.panels import Panel, first, link, list_address, month_text, number_text
from milo.dates import parse_month

LEVEL = 50
"""Accounts of one level that are read at once."""
PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Node:
    """An account in the tree: `below` is the number of accounts directly under it, `level` the address that has them.

    `payer` is who is invoiced for it, "" where that is the account itself.
    """

    account: BillingAccount
    phase: str
    payer: str
    below: int
    level: str


def above(account: BillingAccount) -> list[BillingAccount]:
    """Return the accounts above one now, the highest first. A query for each level."""
    path: list[BillingAccount] = []
    active = BillingAccountAffiliation.objects.active().select_related("parent")
    child = account
    while (relation := active.filter(account=child).first()) and relation.parent and relation.parent not in path:
        child = relation.parent
        path.insert(0, child)
    return path


def level(account: BillingAccount, after: str = "") -> tuple[list[Node], str]:
    """Return the accounts directly under one now, by name, after the name `after`, and the address of the rest."""
    active = BillingAccountAffiliation.objects.active()
    counts = active.filter(parent=OuterRef("account")).order_by().values("parent").annotate(n=Count("pk")).values("n")
    below = Coalesce(Subquery(counts, output_field=IntegerField()), 0)
    children = active.filter(parent=account, account__name__gt=after).select_related("account__paid_by")
    rows: list[Any] = list(children.annotate(below=below).order_by("account__name")[: LEVEL + 1])
    more = f"{_address_of_level(account)}?after={rows[LEVEL - 1].account.name}" if len(rows) > LEVEL else ""
    return [_node(row.account, row.below) for row in rows[:LEVEL]], more


def _node(account: BillingAccount, below: int) -> Node:
    payer = account.paid_by.name if account.paid_by else ""
    return Node(account, account.get_phase_display(), payer, below, _address_of_level(account))


def _address_of_level(account: BillingAccount) -> str:
    return reverse("admin:billing_billingaccount_below", args=[account.pk])


def tree_context(account: BillingAccount) -> dict[str, Any]:
    """Return what the tab shows: the way down to the account, its first level, and the address of the table."""
    nodes, more = level(account)
    return {
        "above": above(account),
        "nodes": nodes,
        "more": more,
        "table": reverse("admin:billing_billingaccount_hierarchy", args=[account.pk]),
    }


def affiliations_panels(account: BillingAccount) -> list[Panel]:
    """Return the affiliations of an account in one panel, the latest first; none for an account without."""
    rows, more = first(
        BillingAccountAffiliation.objects.filter(account=account)
        .select_related("parent")
        .order_by("-effective_from", "-pk")
    )
    if not rows:
        return []
    table = Panel(
        _("Under which account, and who is invoiced"),
        [_("Affiliation"), _("Parent"), _("Payer"), _("From month"), _("Phase"), _("What stands in its way")],
        [
            [
                link(row),
                link(row.parent),
                row.get_payer_display(),
                month_text(row.effective_from),
                row.get_phase_display(),
                said(row.obstacle or row.outcome),
            ]
            for row in rows
        ],
        more=list_address(BillingAccountAffiliation, account__id__exact=account.pk) if more else "",
    )
    return [table]


class HierarchyForm(ActForm):
    at = Text(
        required=False,
        max_length=7,
        label=gettext_lazy("In which month"),
        help_text=gettext_lazy("A month (UTC), such as 2027-02. Empty: the present one."),
    )
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000, widget=forms.HiddenInput)

    def clean_at(self) -> date | None:
        """Return the first day of the month; None for the present one."""
        text = self.cleaned_data["at"]
        try:
            return parse_month(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(_("must be a month such as 2027-02")) from error


class Hierarchy(AccountReport):
    """An account and all below it in a month, level by level: the alternative to the tree."""

    name = "hierarchy"
    title = gettext_lazy("Accounts below, as a table")
    icon = "account_tree"
    tab = "hierarchy"
    form_class = HierarchyForm

    def back(self) -> str:
        return f"{super().back()}?tab={self.tab}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form_class(request.GET.dict())
        if "csv" in request.GET and form.is_valid():
            account = self.account
            tree = _tree(account, form.cleaned_data["at"])
            names = ["account", "parent", "level", "payerOfRecord", "phase"]
            lines = _lines(tree, tree.subtree(account.pk), name=lambda row: row.name if row else "")
            return respond_recorded(request, type(account), [names, *lines], f"{account.name}-hierarchy")
        return super().get(request, *args, **kwargs)

    def table(self, values: dict[str, Any]) -> Panel:
        account, number = self.account, values["page"] or 1
        tree = _tree(account, values["at"])
        keys = tree.subtree(account.pk)
        page = keys[(number - 1) * PER_PAGE : number * PER_PAGE]
        at = f"{values['at']:%Y-%m}" if values["at"] else None
        return Panel(
            _("%(account)s and all accounts below: %(number)s")
            % {"account": account, "number": number_text(len(keys))},
            [_("Billing account"), _("Parent"), _("Level"), _("Payer of record"), _("Phase")],
            list(_lines(tree, page, name=link)),
            following=self.query(at=at, page=number + 1) if number * PER_PAGE < len(keys) else "",
            more=self.query(at=at, csv="1"),
            more_title=_("CSV"),
        )


def _tree(account: BillingAccount, month: date | None) -> Tree:
    return Tree.of(account.organization_id, month or present_month())


def _lines(tree: Tree, keys: list[int], *, name: Any) -> Iterator[list[Any]]:
    """Yield a row for each account: its name, the one above, its level, its payer of record, and its phase now."""
    concerned = {*keys, *map(tree.payer, keys), *filter(None, map(tree.parent, keys))}
    accounts = BillingAccount.objects.only("name", "phase").in_bulk(concerned)
    for key in keys:
        row, parent = accounts[key], accounts.get(tree.parent(key) or 0)
        payer = accounts[tree.payer(key)]
        yield [name(row), name(parent), tree.depth(key), name(payer), row.get_phase_display()]


class TreePages:
    """Mixin for the admin of accounts: adds a level of the tree, which the tab asks for, and the table."""

    admin_site: Any

    def get_urls(self: Any) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<path:object_id>/below/", view(self.below), name="billing_billingaccount_below"),
            path(
                "<path:object_id>/hierarchy/",
                view(Hierarchy.as_view(model_admin=self)),
                name="billing_billingaccount_hierarchy",
            ),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    @method_decorator(require_safe)
    def below(self: PageAdmin | Any, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with the accounts directly under one, as an item of a list each."""
        account = self.get_object(request, object_id) if self.has_view_permission(request) else None
        if account is None:
            raise Http404
        nodes, more = level(account, request.GET.get("after", "")[:63])
        return TemplateResponse(request, "billing/admin/tree_level.html", {"nodes": nodes, "more": more})
