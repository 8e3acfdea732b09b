"""Bearer tokens of an OpenID Connect provider (OpenID Connect Core 1.0, RFC 7519, RFC 7517); off unless configured."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from rest_framework.exceptions import AuthenticationFailed

from milo.access import Actor
from milo.identity.actors import actor_of
from milo.identity.signing_keys import SigningKeys

# a secret that both sides know, or none at all, would let anybody make tokens
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
REQUIRED = ("exp", "iss", "aud", "sub")


@dataclass(frozen=True, slots=True)
class Provider:
    """The setting MILO_OIDC. `groups` maps a value of the groups claim to a role across the platform.

    `username_claim` must be one that the provider alone sets: it names the row of the user here, so whoever could
    choose it could choose to be somebody else.
    """

    issuer: str
    audience: str
    jwks_url: str
    username_claim: str = "sub"
    groups_claim: str = "groups"
    groups: dict[str, str] = field(default_factory=dict)
    clock_skew_seconds: int = 60


def provider() -> Provider | None:
    """The provider of the settings; None where there is none."""
    return Provider(**settings.MILO_OIDC) if settings.MILO_OIDC else None


@lru_cache(maxsize=4)
def _keys(jwks_url: str) -> SigningKeys:
    return SigningKeys(jwks_url)


def admit(token: str, by: Provider) -> tuple[User, Actor]:
    """The person that `token` stands for, with the roles of the groups claim beside those held here.

    A person unknown here gets a row without a password, so that the ledger can name them and roles can be granted.
    Raises `AuthenticationFailed` for a token that is not of this provider, audience and moment, and for a user who is
    disabled here; `Unavailable` where the provider's keys cannot be had.
    """
    claims = _claims(token, by)
    username = claims.get(by.username_claim)
    if not isinstance(username, str) or not 0 < len(username) <= 150 or not username.isprintable():
        raise AuthenticationFailed(f"the token has no usable claim {by.username_claim}")
    # without a password that could be used
    user, _created = User.objects.get_or_create(username=username, defaults={"password": make_password(None)})
    if not user.is_active:
        raise AuthenticationFailed("the user is disabled")
    actor = actor_of(user)
    given = claims.get(by.groups_claim)
    roles = {by.groups[name] for name in given if name in by.groups} if isinstance(given, list) else set()
    return user, replace(actor, roles=actor.roles | roles, credential=f"user:{user.pk}")


def _claims(token: str, by: Provider) -> dict[str, Any]:
    try:
        key = _keys(by.jwks_url).of(jwt.get_unverified_header(token).get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            audience=by.audience,
            issuer=by.issuer,
            leeway=by.clock_skew_seconds,
            options={"require": list(REQUIRED)},
        )
        return claims
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise AuthenticationFailed("the token is not valid") from error
