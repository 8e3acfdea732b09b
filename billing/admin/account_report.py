"""Reports about one account: pages of their own beside the tabs of its page, with the same top."""

from functools import cached_property
from typing import Any, ClassVar

from django.http import Http404
from django.urls import reverse

from billing.models import BillingAccount
from milo.admin.reports import Report
from milo.admin.tabs import tab_links


class AccountReport(Report):
    """Base of the reports about the account of the address. `tab` names that which they belong to."""

    tab: ClassVar[str]
    top_template = "billing/admin/account_header.html"

    @cached_property
    def account(self) -> BillingAccount:
        """The account of the address. Raises `Http404` if the person may not see it or it does not exist."""
        account: BillingAccount | None = self.admin.get_object(self.request, self.kwargs["object_id"])
        if account is None:
            raise Http404
        return account

    def top(self) -> dict[str, Any]:
        admin: Any = self.admin
        tabs = admin.tabs(self.request, self.account)
        current = next((tab for tab in tabs if tab.name == self.tab), None)
        return {
            "subtitle": str(self.account),
            "original": self.account,
            "account_header": admin.header(self.account),
            "tabs": tab_links(self.account, self.admin.opts.verbose_name, tabs, current),
        }

    def back(self) -> str:
        return reverse("admin:billing_billingaccount_change", args=[self.account.pk])
