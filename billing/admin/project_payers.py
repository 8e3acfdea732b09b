"""Who paid for a project when: a drawn bar with its table, and the answer for one day as a sentence."""

from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.admin.usage import COLORS
from billing.models import BillingAccount
from billing.models.affiliation import payer_of_record
from billing.services.past import Stretch, payers
from billing.services.payer_changes import plans
from milo.admin.panels import BarPart, Panel, Question, day_text, instant, link, moment
from milo.dates import end_of, midnight, parse_day
from projects.models import Project

DAY = "paidOnDay"
DRAWN = 30
"""Stretches of time that are drawn, the latest ones."""
_NOBODY = "#999999"


def payers_panel(request: HttpRequest, project: Project) -> Panel:
    """Return who paid from the beginning of the project until now, corrections counted, and the answer for a day."""
    stretches = payers(project, project.created_at, timezone.now())[-DRAWN:] if project.created_at else []
    accounts = BillingAccount.objects.in_bulk({each.account_id for each in stretches if each.account_id})
    # one color for each account, in the order in which they paid
    colors = {key: COLORS[number % (len(COLORS) - 1)] for number, key in enumerate(accounts)}
    text = request.GET.get(DAY, "")
    day = _day(text)
    error = forms.DateField.default_error_messages["invalid"] if text and not day else ""
    return Panel(
        _("Who paid when"),
        [_("No."), _("Billing account"), _("From"), _("Until")],
        [
            [number, _account(accounts, each), instant(each.start), _until(each, stretches)]
            for number, each in enumerate(stretches, 1)
        ],
        question=Question(DAY, _("On which day (UTC)"), text, "date", error),
        sentence=sentence(project, day) if day else "",
        bar=[
            BarPart(
                str(number),
                _words(accounts, each),
                max(1, int((each.end - each.start).total_seconds())),
                colors.get(each.account_id or 0, _NOBODY),
            )
            for number, each in enumerate(stretches, 1)
        ],
    )


def _day(text: str) -> date | None:
    try:
        return parse_day(text)
    except ValueError:
        return None


def _account(accounts: dict[int, BillingAccount], stretch: Stretch) -> str:
    return link(accounts[stretch.account_id]) if stretch.account_id else _("nobody")


def _until(stretch: Stretch, stretches: list[Stretch]) -> str:
    return _("now") if stretch is stretches[-1] else instant(stretch.end)


def _words(accounts: dict[int, BillingAccount], stretch: Stretch) -> str:
    name = accounts[stretch.account_id].name if stretch.account_id else _("nobody")
    return f"{name}, {moment(stretch.start)} - {moment(stretch.end)}"


def sentence(project: Project, day: date) -> str:
    """Return who paid on `day` (UTC), with times only where it changed, whom a plan makes pay, and who is invoiced."""
    start, end = midnight(day), end_of(day)
    if end is None:
        return _("The calendar ends on that day.")
    stretches = payers(project, start, end)
    accounts = BillingAccount.objects.in_bulk({each.account_id for each in stretches if each.account_id})
    names = {"day": day_text(day), "project": project.name, "who": _who(stretches, accounts, start, end)}
    # what begins after now is not known yet
    paid = _("As things are, the payer of %(project)s on %(day)s (UTC) is %(who)s.")
    if end <= timezone.now():
        paid = _("On %(day)s (UTC), the payer of %(project)s was %(who)s.")
        return " ".join([paid % names, *_invoiced(accounts, day)])
    return " ".join([paid % names, *_planned(project, end), *_invoiced(accounts, day)])


def _planned(project: Project, end: datetime) -> list[str]:
    """Return a sentence about the payer change of the project that is to take effect before `end`."""
    item = plans.open_item(project.pk)
    if item is None or item.effective_at >= end:
        return []
    text = _("Payer change %(change)s is to make %(account)s the payer from %(at)s on.")
    names = {"change": item.change.name, "account": item.change.account.name, "at": moment(item.effective_at)}
    return [text % names]


def _who(stretches: list[Stretch], accounts: dict[int, BillingAccount], start: datetime, end: datetime) -> str:
    def named(each: Stretch) -> str:
        return accounts[each.account_id].name if each.account_id else str(_("nobody"))

    if len(stretches) == 1:
        return _("%(account)s, all day") % {"account": named(stretches[0])}
    parts = []
    for each in stretches:
        words: dict[str, Any] = {"from": _time(each.start), "until": _time(each.end), "account": named(each)}
        if each.start == start:
            parts.append(_("%(account)s until %(until)s") % words)
        elif each.end == end:
            parts.append(_("%(account)s from %(from)s on") % words)
        else:
            parts.append(_("%(account)s from %(from)s until %(until)s") % words)
    return "; ".join(parts)


def _time(at: datetime) -> str:
    """Return the time of day, to the second, or to the microsecond where it has a part of one."""
    return f"{at.astimezone(UTC):%H:%M:%S.%f}".removesuffix(".000000")


def _invoiced(accounts: dict[int, BillingAccount], day: date) -> list[str]:
    """Return a sentence for each account that another one is invoiced for in the month of the day."""
    invoiced = ((account, payer_of_record(account, day)) for account in accounts.values())
    text = _("%(payer)s is invoiced for %(account)s.")
    return [text % {"payer": payer, "account": account} for account, payer in invoiced if payer.pk != account.pk]
