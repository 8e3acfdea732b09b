"""What answers tell browsers: a policy for every kind of answer, and cookies of this host over TLS alone."""

import asyncio
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client

from milo import bare_pages
from milo.admin.content_security import POLICY, POLICY_ELSEWHERE
from milo.asgi import application

PAGES = ["/admin/login/", "/admin/", "/admin/nothing/"]
BARE = ["/nothing"]
OTHERS = [
    "/version",
    "/apis",
    "/apis/nothing",
    "/openapi/v3",
    "/apis/billing.milo.io/v1alpha1/billingaccounts",
]
PROBES = ["/livez", "/readyz", "/metrics"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PAGES, *BARE, *OTHERS])
def test_every_answer_has_a_policy_and_is_neither_framed_nor_sniffed(path: str, client: Client) -> None:
    headers = client.get(path).headers
    policies = dict.fromkeys(PAGES, POLICY) | dict.fromkeys(BARE, bare_pages.POLICY)
    assert headers["Content-Security-Policy"] == policies.get(path, POLICY_ELSEWHERE)
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db(transaction=True)
def test_probes_and_metrics_are_not_sniffed() -> None:
    served: Any = application

    async def headers(path: str) -> httpx.Headers:
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            return (await client.get(path)).headers

    for path in PROBES:
        assert asyncio.run(headers(path))["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("tls", "prefix"), [("true", "__Host-"), ("false", "")])
def test_over_tls_cookies_are_bound_to_the_host_and_closed_to_scripts(tls: str, prefix: str) -> None:
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_HTTPONLY")
    program = f"from milo import settings; print([getattr(settings, name, None) for name in {names[:2]}])"
    environment = {
        **os.environ,
        "MILO_HTTPS_ONLY": tls,
        "MILO_SECRET_KEY": "the tests sign outside of development too, so it is long",
        "DATABASE_URL": "sqlite://",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == f"['{prefix}sessionid', '{prefix}csrftoken']\n"
    assert all(getattr(settings, name) is True for name in names[2:])
    # browsers demand both of a name with the prefix
    assert (settings.SESSION_COOKIE_PATH, settings.CSRF_COOKIE_PATH) == ("/", "/")
    assert (settings.SESSION_COOKIE_DOMAIN, settings.CSRF_COOKIE_DOMAIN) == (None, None)
