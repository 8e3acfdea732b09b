"""Log-in through the OpenID Connect provider: authorization code flow with PKCE (OpenID Connect Core 3.1, RFC 7636)."""

import secrets
from dataclasses import replace
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from rest_framework.exceptions import AuthenticationFailed

from milo.identity import oidc
from milo.settings.oidc import Provider

PENDING = "milo_oidc"
SCOPE = "openid profile"
TIMEOUT_SECONDS = 5


def begin(request: HttpRequest, by: Provider, callback: str, next_page: str) -> str:
    """Start a log-in and return the provider's authorization URL.

    `callback` is our redirect URI and `next_page` the page to show afterwards. The session keeps state, nonce and
    code verifier.
    """
    state, nonce, verifier = (secrets.token_urlsafe(48) for _each in range(3))
    request.session[PENDING] = {"state": state, "nonce": nonce, "verifier": verifier, "wanted": next_page}
    address, _state = _client(by, callback).create_authorization_url(
        by.authorization_url, state=state, nonce=nonce, code_verifier=verifier
    )
    return str(address)


def finish(request: HttpRequest, by: Provider, callback: str) -> tuple[dict[str, Any], str]:
    """Finish a log-in: return the verified claims and the page to show. An answer is accepted once.

    Raises `AuthenticationFailed` for an answer to a log-in of another session, for a refusal of the provider, and for a
    token with another audience or nonce. Raises `Unavailable` if the provider's keys cannot be fetched.
    """
    pending = request.session.pop(PENDING, None)
    if not pending or not constant_time_compare(pending["state"], request.GET.get("state", "")):
        raise AuthenticationFailed("the answer is not of a log-in that began here")
    if not request.GET.get("code"):
        raise AuthenticationFailed("the provider refused")
    try:
        answer = _client(by, callback).fetch_token(
            by.token_url, code=request.GET["code"], code_verifier=pending["verifier"], timeout=TIMEOUT_SECONDS
        )
    except (AuthlibBaseError, OSError, ValueError) as error:
        raise AuthenticationFailed("the provider does not stand by its answer") from error
    token = answer.get("id_token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        raise AuthenticationFailed("the provider gave no token of the person")
    claims = oidc.claims_of(token, replace(by, audience=by.client_id))
    if not constant_time_compare(pending["nonce"], str(claims.get("nonce", ""))):
        raise AuthenticationFailed("the token is of another log-in")
    if claims.get("azp", by.client_id) != by.client_id:
        # OpenID Connect Core 3.1.3.7: one of several audiences, and not the one that it was made for
        raise AuthenticationFailed("the token was made for another client")
    return claims, pending["wanted"]


def _client(by: Provider, callback: str) -> Any:
    return OAuth2Session(
        by.client_id, by.client_secret or None, scope=SCOPE, redirect_uri=callback, code_challenge_method="S256"
    )
