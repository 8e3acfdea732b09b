"""Regional rules on the staff site: the findings of an account, and the report of accounts that break a rule."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.compliance.check import check
from billing.compliance.dataset import data
from billing.compliance.findings import Finding, Severity
from billing.models import BillingAccount
from billing.services.compliance.drift import drift_page
from billing.services.compliance.rules import facts_of, platform
from milo.admin.forms import ActForm, Day, Text
from milo.admin.messages import refusal_text
from milo.admin.panels import Panel, badge, day_text, lines, link
from milo.admin.reports import Report

_COLORS = {Severity.ERROR: "danger", Severity.WARNING: "warning", Severity.INFO: "info"}
_SEVERITIES = {
    Severity.ERROR: gettext_lazy("Error"),
    Severity.WARNING: gettext_lazy("Warning"),
    Severity.INFO: gettext_lazy("Info"),
}


def findings_panel(account: BillingAccount) -> Panel:
    """Return the findings of the rules in force today (UTC), each with its rule and sources."""
    findings = check(facts_of(account), platform(), timezone.now().date())
    return Panel(
        _("Regional rules"),
        [_("Severity"), *_headers()],
        [[badge(str(_SEVERITIES[it.severity]), _COLORS[it.severity]), *_cells(it)] for it in findings],
        nothing=_("The account breaks no rule."),
    )


def _headers() -> list[str]:
    return [_("Field"), _("Finding"), _("Rule"), _("In force from"), _("Confidence"), _("Source")]


def _cells(finding: Finding) -> list[Any]:
    since = day_text(finding.effective_from) if finding.effective_from else _("before the data begin")
    sources = [_source(key) for key in finding.source.split(";") if key]
    said = refusal_text(finding.message)
    return [refusal_text(finding.field), said, finding.rule, since, finding.confidence or "-", lines(sources)]


def _source(key: str) -> Any:
    citation = data().sources.get(key, "")
    return format_html('<span title="{}">{}</span>', citation, key)


class DriftForm(ActForm):
    as_of = Day(label=gettext_lazy("By the rules of"), help_text=gettext_lazy("A day to come shows what will fail."))
    organization = Text(required=False, max_length=63, label=gettext_lazy("Organization"))
    after = forms.IntegerField(required=False, min_value=0, max_value=2**62, widget=forms.HiddenInput)


class ComplianceDrift(Report):
    """Accounts that break a rule in force on the day `as_of` (UTC), and since when that rule is in force."""

    name = "drift"
    title = gettext_lazy("Accounts that break a regional rule")
    icon = "gavel"
    form_class = DriftForm

    def defaults(self) -> dict[str, Any]:
        return {"as_of": timezone.now().date().isoformat()}

    def table(self, values: dict[str, Any]) -> Panel:
        findings, last = drift_page(values["as_of"], values["organization"], values["after"] or 0)
        rest = {"as_of": values["as_of"].isoformat(), "organization": values["organization"], "after": last}
        return Panel(
            _("Errors by the rules of %(day)s") % {"day": day_text(values["as_of"])},
            [_("Billing account"), *_headers()],
            [[link(account), *_cells(finding)] for account, finding in findings],
            more=self.query(**rest) if last else "",
            more_title=_("Next page"),
        )
