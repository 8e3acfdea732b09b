"""A closed account with rows in every part of its archive bundle, and a storage that fails."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from django.core.files.storage import InMemoryStorage, storages

from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.holds import set_hold
from billing.services.suspensions import resolve, suspend
from milo.access import Actor
from projects.models import Organization
from tests.support import make
from tests.support.make import approve

SECRETS = (
    "Erika Example,ATU13585627,erika@example.org,her invoice,do not call,desk 9,room 4,who owns it,agreed with".split(
        ","
    )
)


class Failing(InMemoryStorage):
    """A storage that raises `OSError` at the n-th file (`fail_at`) and keeps the files before it."""

    fail_at = 0
    saved = 0

    def _save(self, name: str, content: Any) -> str:
        type(self).saved += 1
        if type(self).saved == type(self).fail_at:
            raise OSError("the storage is gone")
        return str(super()._save(name, content))  # type: ignore[misc]


def store() -> Any:
    """Return the storage `archive`."""
    return storages["archive"]


def manifest(account: BillingAccount) -> str:
    """Return the file name of the bundle's manifest of an archived account."""
    account = BillingAccount.objects.select_related("organization").get(pk=account.pk)
    return f"{account.organization.name}/{account.uid}/manifest-{account.archive_sha256}.json"


def part(account: BillingAccount, name: str) -> str:
    """Return the file name of a part of an account's bundle, such as `charges.jsonl`."""
    with store().open(manifest(account)) as file:
        return f"{manifest(account).rpartition('/')[0]}/{json.load(file)['folder']}/{name}"


def stored() -> dict[str, str]:
    """Return the texts of all files in the archive by name."""
    texts, folders = {}, [""]
    while folders:
        folder = folders.pop()
        inner, files = store().listdir(folder)
        folders += [f"{folder}/{name}".lstrip("/") for name in inner]
        for name in files:
            with store().open(f"{folder}/{name}") as file:
                texts[f"{folder}/{name}"] = file.read().decode()
    return texts


def noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), UTC)


def a_closed_account(organization: Organization) -> BillingAccount:
    """Create an account closed on the day of the clock, with rows and personal data in every part of its bundle."""
    account = make.a_ready_account(
        organization,
        "us",
        display_name="Erika Example",
        invoice_email_addresses=["erika@example.org"],
        preferences=Preferences("", "individual", (TaxRegistration("AT", "ATU13585627"),)),
    )
    hold = set_hold(account.pk, type="Dispute", message="who owns it", actor=make.PLATFORM)
    make.an_approved(account, "ReleaseHold", proposal={"hold": str(hold.uid)})
    project = make.a_project(organization, "frontend", contact_email_addresses=["erika@example.org"])
    make.a_binding(project, account)
    suspend(
        account.pk,
        reason_code="ManualReview",
        message="her invoice",
        internal_note="do not call",
        actor=make.PLATFORM,
    )
    suspension = account.suspensions.get()
    resolve(account.pk, suspension.uid, evidence={"reviewer": "desk 9", "note": "room 4"}, actor=make.PLATFORM)
    make.an_approved(account, "Reactivate")
    make.a_binding(project, make.a_ready_account(organization, "eu"))
    charge = report_charge(
        organization.pk,
        "us",
        ChargeSpec("17", Decimal("10.00"), "USD", date(2026, 12, 31), "her invoice"),
        name="invoice-17",
        actor=make.PLATFORM,
    )
    settle_charge(charge.pk, reference="wire-1", actor=make.PLATFORM)
    # another approver: the last editor of the account, who approved the reactivation, may not approve
    approve(make.a_request(account, "Close").pk, actor=Actor("user:second-approver", make.APPROVER.roles))
    account.refresh_from_db()
    return account
