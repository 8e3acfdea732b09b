"""Acts on service tokens, and who a bearer secret stands for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _

from milo import audit
from milo.access import TABLE, Actor
from milo.errors import Cause, Invalid, NotFound
from milo.identity.access import TOKENS
from milo.identity.actors import HELD, actor_with
from milo.identity.models import ServiceToken, digest, new_secret
from milo.prepared import Given, Prepared

USE_RECORDED_EVERY = timedelta(minutes=1)


def issue_token(
    user: User,
    *,
    description: str = "",
    expires_at: datetime | None = None,
    scopes: Sequence[str] | None = None,
    actor: Actor,
) -> tuple[ServiceToken, str]:
    """Issue a bearer token for `user`; returns its row and the secret, which cannot be had again.

    `expires_at` is an instant in UTC, None for the latest that MILO_TOKEN_LONGEST_DAYS allows. `scopes` are the
    resources (plural) that it may change as far as its user may: none of them makes it read-only, None sets no bound.
    Raises `Forbidden`, and `Invalid` for an end in the past or beyond the latest, and for a scope that the access table
    does not know.
    """
    actor.require("create", TOKENS, None)
    expires_at = _end(expires_at)
    if unknown := sorted(set(scopes or ()) - set(scope_choices())):
        raise Invalid.because([Cause("scopes", _("%(scope)s is not a resource") % {"scope": ", ".join(unknown)[:200]})])
    secret = new_secret()
    token = ServiceToken(
        user=user,
        description=description,
        hint=secret[:12],
        digest=digest(secret),
        expires_at=expires_at,
        scopes=None if scopes is None else sorted(set(scopes)),
    )
    with audit.act():
        audit.save_as(actor, token, reason="ServiceTokenIssued", why=description)
    return token, secret


def longest_days() -> int | None:
    """Return for how many days a new token may admit at most; None where there is no bound."""
    return settings.MILO_TOKEN_LONGEST_DAYS or None


def scope_choices() -> list[str]:
    """Return the resources (plural) that a token may be bound to change."""
    return sorted({rule.resource for rule in TABLE})


def _end(asked: datetime | None) -> datetime | None:
    now, days = timezone.now(), longest_days()
    latest = now + timedelta(days=days) if days else None
    if asked is None:
        return latest
    if asked <= now:
        raise Invalid.because([Cause("expiresAt", _("is in the past"))])
    # forms and commands count from when they were read, a moment before
    if latest and asked > latest + timedelta(minutes=1):
        raise Invalid.because([Cause("expiresAt", _("is later than %(days)s days from now") % {"days": days})])
    return asked


def revoke_token(token_id: int, *, actor: Actor) -> ServiceToken:
    """Revoke a token: the next request with it is refused. Repeating it changes nothing.

    Raises `Forbidden`, `NotFound`.
    """
    actor.require("delete", TOKENS, None)
    with audit.act():
        token = ServiceToken.objects.select_for_update().filter(pk=token_id).first()
        if token is None:
            raise NotFound("there is no such token")
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            audit.save_as(actor, token, reason="ServiceTokenRevoked")
        return token


def token_of(secret: str) -> ServiceToken | None:
    """The valid token of a bearer secret, with its user; None where `admit` would admit nobody."""
    return ServiceToken.objects.valid().select_related("user").filter(digest=digest(secret)).first()


_OF_TOKEN = ("pk", "scopes", "last_used_at")
_OF_USER = [column.attname for column in User._meta.concrete_fields]
_ADMITTING = Prepared(
    lambda: (
        ServiceToken.objects.valid()
        .filter(digest=Given("digest"))
        .values_list(*_OF_TOKEN, *(f"user__{name}" for name in (*_OF_USER, *HELD)))
    )
)


def admit(secret: str) -> tuple[User, Actor] | None:
    """The user of a bearer secret, and the actor it makes of them now; None for one that is unknown, revoked, expired
    or disabled. By one query, and nothing is kept: neither a token nor a role outlives its end.

    Its last use is kept to the minute: a write per request would make every read a write.
    """
    rows = _ADMITTING.ask(digest=digest(secret))
    if not rows:
        return None
    (pk, scopes, last_used_at), of_user = rows[0][: len(_OF_TOKEN)], rows[0][len(_OF_TOKEN) : -len(HELD)]
    if last_used_at is None or last_used_at < timezone.now() - USE_RECORDED_EVERY:
        ServiceToken.objects.filter(pk=pk).update(last_used_at=timezone.now())
    user = User.from_db(None, _OF_USER, of_user)
    found = actor_with(user, (row[-len(HELD) :] for row in rows))
    bound = None if scopes is None else frozenset(scopes)
    return user, replace(found, scopes=bound, credential=f"token:{pk}")
