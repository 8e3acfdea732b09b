"""Notices are sent after the commit, and nothing remembers them before."""

from typing import Any
from uuid import UUID

from django.core.mail import EmailMessage
from django.db import transaction

from billing.models import BillingAccount, Notice
from billing.models.binding import projects_paid_by
from billing.services.notices import outbox


def plant() -> None:
    outbox._queue_everyone = _send_afterwards


def _send_afterwards(about: Notice.About, account: BillingAccount, cause: UUID, context: dict[str, Any]) -> None:
    contacts = {address for project in projects_paid_by(account) for address in project.contact_email_addresses}
    addresses = sorted({*contacts, *outbox.contacts_of(account)})
    transaction.on_commit(lambda: _send(about, addresses, context), robust=True)


def _send(about: Notice.About, addresses: list[str], context: dict[str, Any]) -> None:
    for address in addresses:
        EmailMessage(str(about), context.get("message", ""), to=[address]).send()
