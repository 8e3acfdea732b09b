"""How notices go out, and in whose name."""

import os

from milo.settings.environment import DATA_DIR, domain, number, sender

EMAIL_HOST = os.environ.get("MILO_EMAIL_HOST", "")
EMAIL_PORT = number("MILO_EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("MILO_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("MILO_EMAIL_PASSWORD", "")
EMAIL_USE_TLS = os.environ.get("MILO_EMAIL_TLS") == "1"
EMAIL_TIMEOUT = 10
# without a mail server each message is a file
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL = sender("MILO_EMAIL_FROM", "billing@milo.example")
MILO_MESSAGE_ID_DOMAIN = domain("MILO_MESSAGE_ID_DOMAIN", "milo.example")
