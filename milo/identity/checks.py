"""The check of the setting MILO_OIDC: a fault in it is found at the start and not at the first token."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core import checks

from milo.access import TABLE
from milo.identity import oidc

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@checks.register(checks.Tags.security)
def check_provider(app_configs: Any = None, **kwargs: Any) -> list[checks.Error]:
    """`manage.py check`: an error for each fault of MILO_OIDC."""
    return [checks.Error(f"MILO_OIDC: {fault}", id="milo.E003") for fault in _faults()]


def _faults() -> Iterator[str]:
    try:
        provider = oidc.provider()
    except TypeError as error:
        yield str(error)
        return
    if provider is None:
        return
    staff_site = (provider.client_id, provider.authorization_url, provider.token_url)
    if any(staff_site) and not all(staff_site):
        yield "client_id, authorization_url and token_url go together"
    for name in ("jwks_url", "authorization_url", "token_url"):
        url = getattr(provider, name)
        address = urlsplit(url)
        if (url or name == "jwks_url") and address.scheme != "https" and address.hostname not in LOOPBACK:
            # whoever stands in between would put in a key, or take a code, of their own
            yield f"{name} must begin with https://"
    if not provider.issuer or not provider.audience:
        yield "issuer and audience must be given"
    known = {rule.role for rule in TABLE if not rule.organization}
    for group, role in provider.groups.items():
        if role not in known:
            yield f"group {group} maps to {role}, which is no role across the platform ({', '.join(sorted(known))})"
