"""Service tokens: issue, revoke and authenticate."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from milo import audit
from milo.access import TABLE, Actor
from milo.compiled_queries import CompiledQuery, Param
from milo.errors import Cause, Forbidden, Invalid, NotFound
from milo.identity.access import TOKENS
from milo.identity.actors import PERSON, actor_of, actor_with, held_columns, roles_beyond
from milo.identity.mails import queue_token_notice
from milo.identity.models import ServiceToken, ServiceUser, digest, new_secret

USE_RECORDED_EVERY = timedelta(minutes=1)


def issue_token(
    user: User,
    *,
    description: str = "",
    expires_at: datetime | None = None,
    scopes: Sequence[str] | None = None,
    actor: Actor,
) -> tuple[ServiceToken, str]:
    """Issue a bearer token for `user`. Return its row and the secret, which is not stored.

    `expires_at` is an instant in UTC; None for the latest that MILO_TOKEN_LONGEST_DAYS allows. `scopes` are the
    resources (plural) that the token may change, within the permissions of its user: empty makes it read-only, None
    sets no limit. The user is notified by mail.

    Everybody may issue tokens for themselves. With the permission to create tokens, an actor may also issue them for a
    service user whose roles it holds too. Nobody issues a token of another person, since with its secret one person
    could act as two. Raises `Forbidden` otherwise, and `Invalid` for an end in the past or beyond the latest, or for a
    scope that is no resource of the access table.
    """
    _require_own_or_service(user, actor)
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
    with audit.transaction():
        audit.save_as(actor, token, reason="ServiceTokenIssued", why=description)
        queue_token_notice(user, description=description, issuer=actor.name)
    return token, secret


def _require_own_or_service(user: User, actor: Actor) -> None:
    own = actor_of(user)
    if actor.name == own.name:
        return
    actor.require("create", TOKENS, None)
    if not ServiceUser.objects.filter(user=user).exists():
        message = _("%(user)s is a person, who issues their own tokens; others issue those of service users")
        raise Forbidden(message % {"user": user.get_username()})
    if actor.is_system:
        return
    if more := roles_beyond(own, actor):
        message = _("%(user)s has roles that you lack: %(roles)s")
        raise Forbidden(message % {"user": user.get_username(), "roles": ", ".join(sorted(more))})


def longest_days() -> int | None:
    """Return the maximum lifetime of a new token in days; None for no limit."""
    return settings.MILO_TOKEN_LONGEST_DAYS or None


def scope_choices() -> list[str]:
    """Return the resources (plural) that may be scopes of a token."""
    return sorted({rule.resource for rule in TABLE})


def _end(requested: datetime | None) -> datetime | None:
    now, days = timezone.now(), longest_days()
    latest = now + timedelta(days=days) if days else None
    if requested is None:
        return latest
    if requested <= now:
        raise Invalid.because([Cause("expiresAt", _("is in the past"))])
    # a minute of tolerance: forms and commands compute the latest end a moment earlier
    if latest and requested > latest + timedelta(minutes=1):
        raise Invalid.because([Cause("expiresAt", _("is later than %(days)s days from now") % {"days": days})])
    return requested


def revoke_token(token_id: int, *, actor: Actor) -> ServiceToken:
    """Revoke a token: the next request with it is refused. Idempotent.

    Everybody may revoke their own tokens. Raises `Forbidden` without the permission for others, and `NotFound`.
    """
    with audit.transaction():
        token = ServiceToken.objects.select_for_update(of=("self",)).select_related("user").filter(pk=token_id).first()
        if token is None or f"{PERSON}{token.user.get_username()}" != actor.name:
            actor.require("delete", TOKENS, None)
        if token is None:
            raise NotFound("there is no such token")
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            audit.save_as(actor, token, reason="ServiceTokenRevoked")
        return token


def token_of(secret: str) -> ServiceToken | None:
    """Return the valid token of a bearer secret, with its user; None if `admit` would return None."""
    return ServiceToken.objects.valid().select_related("user").filter(digest=digest(secret)).first()


def _when_issued(column: str) -> Subquery:
    """Return a subquery for a column of the history row in which the token was issued."""
    issued = ServiceToken.history.filter(id=OuterRef("pk"), history_type="+").order_by("history_id")
    return Subquery(issued.values(column)[:1])


_OF_TOKEN = ("pk", "scopes", "last_used_at", "issuer", "maker")
_OF_USER = [column.attname for column in User._meta.concrete_fields]
_ADMITTING = CompiledQuery(
    lambda: (
        ServiceToken.objects.valid()
        .filter(digest=Param("digest"))
        .annotate(issuer=_when_issued("history_user_id"), maker=_when_issued("history_credential_maker"))
        .values_list(*_OF_TOKEN, *(f"user__{name}" for name in (*_OF_USER, *held_columns())))
    )
)


def admit(secret: str) -> tuple[User, Actor] | None:
    """Return the user of a bearer secret and the actor with its current roles.

    None if the token is unknown, revoked or expired, or its user is deactivated. Takes one query and caches nothing, so
    that tokens and roles end at once. The last use is recorded to the minute: a write per request would turn every read
    into a write.
    """
    rows = _ADMITTING.fetch(digest=digest(secret))
    if not rows:
        return None
    held_from = len(_OF_TOKEN) + len(_OF_USER)
    (pk, scopes, last_used_at, issuer, maker), of_user = rows[0][: len(_OF_TOKEN)], rows[0][len(_OF_TOKEN) : held_from]
    if last_used_at is None or last_used_at < timezone.now() - USE_RECORDED_EVERY:
        ServiceToken.objects.filter(pk=pk).update(last_used_at=timezone.now())
    user = User.from_db(None, _OF_USER, of_user)
    actor = actor_with(user, (row[held_from:] for row in rows))
    if issuer != actor.name:
        maker = issuer
    limited = None if scopes is None else frozenset(scopes)
    return user, replace(actor, scopes=limited, credential=f"token:{pk}", maker=maker or "")
