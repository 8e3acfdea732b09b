"""What follows from the affiliations of an organization: `AccountPayer` of every month, `paid_by` of the present."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.utils import timezone

from billing.models import AccountPayer, BillingAccount
from billing.services.affiliations.trees import Span, facts_of, payers_of
from billing.services.compliance import assessments
from billing.services.notices import outbox
from milo import audit
from milo.access import Actor

_AT_ONCE = 1000
Row = tuple[int, Span]
"""An account, by its primary key, and a span of a payer of record."""


@dataclass(frozen=True, slots=True)
class PayerDifference:
    """A row that is not what the affiliations say, or is missing; `message` is for people."""

    account_id: int
    message: str

    def __str__(self) -> str:
        return self.message


def wanted(organization_id: int) -> set[Row]:
    """Return the rows that follow from the affiliations of an organization."""
    spans = payers_of(facts_of(organization_id))
    return {(account_id, span) for account_id, of in spans.items() for span in of}


def stored(organization_id: int) -> dict[Row, int]:
    """Return the rows that there are, with their primary keys."""
    rows = AccountPayer.objects.filter(account__organization=organization_id)
    columns = ("pk", "account", "payer", "from_month", "until_month")
    return {(account, Span(payer, start, until)): pk for pk, account, payer, start, until in rows.values_list(*columns)}


def rewrite(organization_id: int) -> dict[int, int]:
    """Make the rows of an organization what its affiliations say; return the present payer of each account changed.

    The caller holds the lock of the hierarchy. `paid_by` follows by `put_on`.
    """
    want, have = wanted(organization_id), stored(organization_id)
    gone, new = have.keys() - want, want - have.keys()
    moved = _moved(gone, new)
    keys = sorted(have[row] for row in gone - moved.keys())
    for start in range(0, len(keys), _AT_ONCE):
        AccountPayer.objects.filter(pk__in=keys[start : start + _AT_ONCE]).delete()
    for row, (_account_id, span) in moved.items():
        AccountPayer.objects.filter(pk=have[row]).update(from_month=span.start)
    AccountPayer.objects.bulk_create(
        [
            AccountPayer(account_id=account_id, payer_id=span.payer_id, from_month=span.start, until_month=span.until)
            for account_id, span in sorted(new - set(moved.values()), key=lambda row: (row[0], row[1].start))
        ],
        batch_size=_AT_ONCE,
    )
    return {account_id: span.payer_id for account_id, span in new if span.until is None}


def _moved(gone: Collection[Row], new: Collection[Row]) -> dict[Row, Row]:
    """Return the open rows of `gone` whose payer goes on, but from another month on, with those of `new`.

    Guards let no open row go while its payer stays.
    """
    following = {(account_id, span.payer_id): (account_id, span) for account_id, span in new if span.until is None}
    return {
        (account_id, span): following[account_id, span.payer_id]
        for account_id, span in gone
        if span.until is None and (account_id, span.payer_id) in following
    }


def put_on(accounts: Collection[BillingAccount], payers: dict[int, int], *, why: str, actor: Actor) -> None:
    """Write the present payers of record on `accounts`, which the caller has locked; each gets a revision.

    The revisions of their projects, which name the payer of record, follow in the background.
    """
    today = timezone.now().date()
    before = {account.paid_by_id for account in accounts if account.paid_by_id}
    named = BillingAccount.objects.select_related("organization").in_bulk({*payers.values(), *before})
    changed: list[BillingAccount] = []
    for account in sorted(accounts, key=lambda account: account.pk):
        payer_id = payers.get(account.pk, account.paid_by_id or account.pk)
        paid_by_id = None if payer_id == account.pk else payer_id
        if paid_by_id == account.paid_by_id:
            audit.mark_changed(actor, account, reason="HierarchyChanged", why=why)
        else:
            earlier = named[account.paid_by_id] if account.paid_by_id else None
            _hand_over(account, earlier, named[paid_by_id] if paid_by_id else None)
            # the country rules of invoices judge who is invoiced
            assessments.assess(account, today)
            changed.append(account)
    columns = ["paid_by", "paid_by_since", "payer_ready_since", *assessments.COLUMNS]
    # a branch may have thousands
    for start in range(0, len(changed), _AT_ONCE):
        part = [(account, why) for account in changed[start : start + _AT_ONCE]]
        audit.save_all_as(actor, part, reason="PayerOfRecordChanged", columns=columns)
    outbox.queue_payers_of_record(changed, why, actor=actor)


def _hand_over(account: BillingAccount, earlier: BillingAccount | None, later: BillingAccount | None) -> None:
    """Let `later` pay for `account`. Where both are Ready, or neither, that goes on since it was so."""
    ready = BillingAccount.Phase.READY
    since = now = audit.ledger_time(account)
    if earlier and later and (earlier.phase == ready) == (later.phase == ready):
        since = account.payer_stands_since(earlier.phase_since)
    account.paid_by = later
    account.paid_by_since, account.payer_ready_since = (now, since) if later else (None, None)


def differences(organization_id: int) -> Iterator[PayerDifference]:
    """Yield each row, and each `paid_by`, that is not what the affiliations of an organization say."""
    want, have = wanted(organization_id), stored(organization_id)
    for account_id, span in sorted(want - have.keys(), key=_order):
        yield PayerDifference(account_id, f"{_named(account_id, span)} is missing")
    for account_id, span in sorted(have.keys() - want, key=_order):
        yield PayerDifference(account_id, f"{_named(account_id, span)} does not follow from the affiliations")
    present = {account_id: span.payer_id for account_id, span in want if span.until is None}
    accounts = BillingAccount.objects.filter(organization=organization_id).order_by("pk")
    for account_id, name, paid_by in accounts.values_list("pk", "name", "paid_by"):
        payer_id = present.get(account_id, account_id)
        if (paid_by or account_id) != payer_id:
            message = f"account {account_id} ({name}) is not paid by account {paid_by or account_id}, but by {payer_id}"
            yield PayerDifference(account_id, message)


def _order(row: Row) -> tuple[int, str]:
    return row[0], row[1].start.isoformat()


def _named(account_id: int, span: Span) -> str:
    until = f" until {span.until:%Y-%m}" if span.until else ""
    return f"account {account_id} paid by account {span.payer_id} from {span.start:%Y-%m}{until}"


REBUILDER = Actor.system("hierarchy-rebuild")


def rebuild(organization_id: int) -> int:
    """Make everything of an organization what its affiliations say, and return how many differences there were.

    The caller holds the lock of the hierarchy.
    """
    found = list(differences(organization_id))
    if found:
        rewrite(organization_id)
        present = {key: span.payer_id for key, span in wanted(organization_id) if span.until is None}
        concerned = {each.account_id for each in found}
        accounts = list(BillingAccount.objects.locked().filter(pk__in=concerned))
        payers = {account.pk: present.get(account.pk, account.pk) for account in accounts}
        put_on(accounts, payers, why="recounted from the affiliations", actor=REBUILDER)
    return len(found)
