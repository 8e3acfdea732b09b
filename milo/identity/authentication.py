"""Authentication of API requests by bearer tokens. Sessions are accepted on the staff site only."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from milo.access import Actor
from milo.identity import oidc, tokens
from milo.identity.models import PREFIX


def admit(secret: str) -> tuple[User, Actor]:
    """Return the user of a bearer secret and the actor with its current roles.

    Raises `AuthenticationFailed` for an invalid secret, `Unavailable` if the provider's keys cannot be fetched.
    """
    if not secret.startswith(PREFIX) and (provider := oidc.provider()):
        return oidc.admit(secret, provider)
    if admitted := tokens.admit(secret):
        return admitted
    raise AuthenticationFailed("the token is unknown, expired or revoked")


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with a service token (`milo_...`) or, if configured, an OpenID Connect token.

    Sets `request.auth` to the actor.
    """

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        if any(name.lower().startswith("impersonate-") for name in request.headers):
            # ignoring the header would run `kubectl --as` with the caller's own permissions
            raise PermissionDenied("impersonation is not supported")
        scheme, _space, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            return None
        return admit(secret.strip())

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"
