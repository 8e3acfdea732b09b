"""The mail server, and the sender and language of notices."""

from milo.settings.environment import DATA_DIR, environment

EMAIL_HOST = environment.mail.host
EMAIL_PORT = environment.mail.port
EMAIL_HOST_USER = environment.mail.user
EMAIL_HOST_PASSWORD = environment.mail.password or ""
EMAIL_USE_TLS = environment.mail.tls
EMAIL_TIMEOUT = 10
# without a mail server each message is a file
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL = environment.mail.sender
MILO_MESSAGE_ID_DOMAIN = environment.mail.message_id_domain
MILO_NOTICE_LANGUAGE = environment.mail.notice_language
