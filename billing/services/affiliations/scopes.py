"""Usage and projects of more accounts than one: those that an account is payer of record of, and those below it."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date, datetime
from itertools import pairwise

from django.db.models import Q, QuerySet

from billing.models import AccountPayer, BillingAccount, BillingAccountAffiliation, BillingAccountBinding
from billing.models.affiliation import paid_accounts
from billing.models.usage_partitions import next_month
from billing.services import past
from billing.services.affiliations.trees import Tree
from billing.services.usage.reports import Line, Stretch, Subtree, UsageQuery, of_account, of_accounts
from milo.compiled_queries import CompiledQuery, Param
from milo.dates import first_of_month

OWN, PAID, SUBTREE = "own", "paid", "subtree"
SCOPES = (OWN, PAID, SUBTREE)
_AT_ONCE = 1000


def of_scope(account: BillingAccount, query: UsageQuery, scope: str) -> list[Line]:
    """Return the usage of the accounts that `scope` selects, each in the months in which it does.

    `own` is that of `account`, `paid` that for which it is payer of record, `subtree` its own and that of all below it.
    Raises `Invalid` as `of_account`, and unless the days are of UTC for the other scopes.
    """
    if scope == OWN:
        return of_account(account, query)
    return of_accounts(query, (_paid if scope == PAID else _below)(account, query))


def projects_of_scope(account: BillingAccount, at: datetime, scope: str) -> list[BillingAccountBinding]:
    """Return the bindings by which the accounts that `scope` selects paid at the instant `at` (UTC).

    They are those of the month of `at`, and ordered by the names of the projects.
    """
    if scope == OWN:
        return list(past.projects_at(account, at))
    paying = BillingAccountBinding.objects.paying(at).select_related("project", "account")
    if scope == PAID:
        found = list(paying.filter(account__in=paid_accounts(account, at.date())))
    else:
        keys = Tree.of(account.organization_id, first_of_month(at)).subtree(account.pk)
        # databases bound the number of parameters of a statement
        parts = (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))
        found = [binding for part in parts for binding in paying.filter(account__in=part)]
    return sorted(found, key=lambda binding: binding.project.name)


def _paid(account: BillingAccount, query: UsageQuery) -> Iterable[Stretch]:
    rows = AccountPayer.objects.filter(Q(payer=account) | Q(account=account))
    spans = list(rows.values_list("account", "payer", "from_month", "until_month"))

    def members(day: date) -> frozenset[int]:
        covering = [each for each in spans if each[2] <= day and (each[3] is None or day < each[3])]
        paid = {child for child, payer, _start, _until in covering if payer == account.pk}
        pays_itself = all(child != account.pk for child, _payer, _start, _until in covering)
        return frozenset(paid | {account.pk} if pays_itself else paid)

    return _stretches(members, [day for _child, _payer, start, until in spans for day in (start, until)], query)


def _below(account: BillingAccount, query: UsageQuery) -> Iterator[Stretch]:
    """Yield the span of the query, cut where any relation of the organization begins or ends."""
    cuts = {query.start, query.end}
    if next_month(query.start) < query.end:
        # relations begin and end with months: within one of them there is nothing to look for
        spans = _CHANGES.fetch(organization=account.organization_id, start=query.start, end=query.end)
        cuts.update(day for span in spans for day in span if day and query.start < day < query.end)
    for start, end in pairwise(sorted(cuts)):
        yield Stretch(Subtree(account.pk, start), start, end)


def _changes() -> "QuerySet[BillingAccountAffiliation, tuple[date, date | None]]":
    start, end = Param("start"), Param("end")
    within = Q(effective_from__gt=start, effective_from__lt=end) | Q(ended_from__gt=start, ended_from__lt=end)
    facts = BillingAccountAffiliation.objects.facts().filter(within, organization=Param("organization"))
    return facts.order_by().values_list("effective_from", "ended_from").distinct()


_CHANGES = CompiledQuery(_changes)


def _stretches(
    members: Callable[[date], frozenset[int]], changes: Collection[date | None], query: UsageQuery
) -> Iterator[Stretch]:
    """Yield the span of the query in as few stretches as the accounts of `members` change."""
    start, accounts = query.start, members(query.start)
    days = sorted({day for day in changes if day and query.start < day < query.end})
    for day in days:
        later = members(day)
        if later != accounts:
            yield Stretch(accounts, start, day)
            start, accounts = day, later
    yield Stretch(accounts, start, query.end)
