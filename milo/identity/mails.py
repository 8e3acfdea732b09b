"""Mail to a person about new credentials of theirs, whoever creates them."""

import structlog
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import transaction
from django.utils.translation import gettext as _

log = structlog.get_logger(__name__)


def queue_mail(user: User, subject: str, text: str) -> None:
    """Send `user` a mail after the current transaction has been committed.

    A failure to send is logged and does not undo the transaction. Sends nothing to a user without an address.
    """
    if not user.email:
        return

    def send() -> None:
        try:
            send_mail(subject, text, None, [user.email])
        except OSError:
            log.exception("access_mail_failed", user=user.pk)

    transaction.on_commit(send)


def queue_token_notice(user: User, *, description: str, issuer: str) -> None:
    """Mail `user` that a token of theirs was issued."""
    subject = _("A new token of yours in Milo")
    text = _(
        "%(issuer)s has issued a token that acts in your name (%(description)s).\n"
        "Where you did not ask for it, revoke it and tell the platform's administrators at once."
    )
    queue_mail(user, subject, text % {"issuer": issuer, "description": description or "-"})
