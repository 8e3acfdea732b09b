"""Mail to a person about their own means of access: they learn of each one that is made, whoever makes it."""

import structlog
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import transaction
from django.utils.translation import gettext as _

log = structlog.get_logger(__name__)


def tell(user: User, subject: str, text: str) -> None:
    """Send `user` a mail once the present transaction is committed; one that cannot be sent is logged and keeps no act.

    Nothing is sent to who has no address.
    """
    if not user.email:
        return

    def send() -> None:
        try:
            send_mail(subject, text, None, [user.email])
        except OSError:
            log.exception("access_mail_failed", user=user.pk)

    transaction.on_commit(send)


def tell_of_token(user: User, *, description: str, issuer: str) -> None:
    """Tell `user` that a token of theirs was issued."""
    subject = _("A new token of yours in Milo")
    text = _(
        "%(issuer)s has issued a token that acts in your name (%(description)s).\n"
        "Where you did not ask for it, revoke it and tell the platform's administrators at once."
    )
    tell(user, subject, text % {"issuer": issuer, "description": description or "-"})
