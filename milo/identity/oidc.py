"""Bearer tokens of an OpenID Connect provider (OpenID Connect Core 1.0, RFC 7519, RFC 7517). Off unless configured."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import User
from rest_framework.exceptions import AuthenticationFailed

from milo.access import Actor
from milo.identity.actors import actor_of
from milo.identity.identities import LONGEST, is_subject, linker_of, person_of
from milo.identity.signing_keys import SigningKeys
from milo.settings.oidc import Provider

# neither HS* (a shared secret) nor none: with these, others could sign tokens
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
REQUIRED = ("exp", "iss", "aud", "sub")
DATES = ("exp", "nbf", "iat")
LONGEST_TOKEN = 16384


def provider() -> Provider | None:
    """Return the configured provider; None if there is none."""
    return Provider(**settings.MILO_OIDC) if settings.MILO_OIDC else None


@lru_cache(maxsize=4)
def _keys(jwks_url: str) -> SigningKeys:
    return SigningKeys(jwks_url)


def admit(token: str, by: Provider) -> tuple[User, Actor]:
    """Return the user of a token and the actor, with the roles of the groups claim in addition to the roles held here.

    An unknown person gets a user without a password, so that the ledger can name them and roles can be granted. Raises
    `AuthenticationFailed` for a token with another issuer or audience, for an expired one, for malformed claims, for a
    name that another user has, and for a deactivated user. Raises `Unavailable` if the provider's keys cannot be
    fetched.
    """
    return person_in(claims_of(token, by), by)


def person_in(claims: dict[str, Any], by: Provider) -> tuple[User, Actor]:
    """Return user and actor like `admit`, from claims whose signature was verified."""
    subject, name = claims["sub"], claims.get(by.username_claim)
    if not is_subject(subject):
        raise AuthenticationFailed("the token has no usable claim sub")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST or not name.isprintable():
        raise AuthenticationFailed(f"the token has no usable claim {by.username_claim}")
    roles = roles_of(claims, by)
    identity = person_of(by.issuer, subject, name)
    if not identity.user.is_active:
        raise AuthenticationFailed("the user is disabled")
    actor = actor_of(identity.user)
    maker = linker_of(identity)
    return identity.user, replace(actor, roles=actor.roles | roles, credential=f"identity:{identity.pk}", maker=maker)


def roles_of(claims: dict[str, Any], by: Provider) -> set[str]:
    """Return the platform roles of the groups claim. Raises `AuthenticationFailed` for a malformed claim."""
    groups = claims.get(by.groups_claim, [])
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise AuthenticationFailed(f"the claim {by.groups_claim} is no list of texts")
    return {by.groups[group] for group in groups if group in by.groups}


def claims_of(token: str, by: Provider) -> dict[str, Any]:
    """Verify signature, issuer, audience and dates of a token, and return its claims.

    Raises `AuthenticationFailed` for an invalid token, `Unavailable` if the provider's keys cannot be fetched.
    """
    if len(token) > LONGEST_TOKEN:
        raise AuthenticationFailed("the token is too long")
    try:
        key = _keys(by.jwks_url).of(jwt.get_unverified_header(token).get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            audience=by.audience,
            issuer=by.issuer,
            leeway=by.clock_skew_seconds,
            # RFC 7518, sections 3.3 and 3.5: RSA keys of 2,048 bits or more
            options={"require": list(REQUIRED), "enforce_minimum_key_length": True},
        )
        _require_dates(claims)
        return claims
    except (jwt.PyJWTError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        # so many kinds, because the sender controls the header, and users of the provider control some claims
        raise AuthenticationFailed("the token is not valid") from error


def _require_dates(claims: dict[str, Any]) -> None:
    """Raise `ValueError` for a date that is no number (RFC 7519, section 2, NumericDate). PyJWT accepts texts too."""
    for name in DATES:
        if name in claims and type(claims[name]) not in (int, float):
            raise ValueError(f"{name} is no number")
