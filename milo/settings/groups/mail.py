"""Mail."""

from dataclasses import dataclass

from milo.settings import values
from milo.settings.variables import variable

LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The mail server, and the sender and language of notices."""

    host: str = variable(
        "MILO_EMAIL_HOST",
        values.HOST,
        "",
        "The mail server.",
        shown="none: messages are files in `mail` of the data folder",
    )
    port: int = variable("MILO_EMAIL_PORT", values.number(1, 65535), 25, "The port of the mail server.")
    user: str = variable("MILO_EMAIL_USER", values.TEXT, "", "The user at the mail server; requires a password.")
    password: str | None = variable(
        "MILO_EMAIL_PASSWORD", values.TEXT, None, "The password at the mail server.", shown="none", secret=True
    )
    tls: bool = variable("MILO_EMAIL_TLS", values.BOOLEAN, False, "Use STARTTLS with the mail server.")
    sender: str = variable(
        "MILO_EMAIL_FROM",
        values.SENDER,
        "billing@milo.example",
        "The sender of notices, optionally with a name: `Billing <a@example.org>`.",
    )
    message_id_domain: str = variable(
        "MILO_MESSAGE_ID_DOMAIN", values.DOMAIN, "milo.example", "The domain in the Message-ID of notices."
    )
    notice_language: str = variable(
        "MILO_NOTICE_LANGUAGE",
        values.choice(*LANGUAGES),
        "en",
        "The language of notices to staff, and about accounts without a language.",
    )
