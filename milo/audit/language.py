"""The language of the ledger, which is one for all, and not that of the actor."""

from contextlib import AbstractContextManager

from django.conf import settings
from django.utils import translation


def ledger_language() -> AbstractContextManager[None]:
    """Within, texts are made in the language of the installation: everybody reads a row as it was written."""
    return translation.override(settings.LANGUAGE_CODE)
