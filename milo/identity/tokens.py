"""Acts on service tokens, and who a bearer secret stands for."""

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
from milo.identity.letters import tell_of_token
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
    """Issue a bearer token for `user`; returns its row and the secret, which cannot be had again.

    `expires_at` is an instant in UTC, None for the latest that MILO_TOKEN_LONGEST_DAYS allows. `scopes` are the
    resources (plural) that it may change as far as its user may: none of them makes it read-only, None sets no bound.
    Everybody issues tokens for themselves; whoever may create tokens does for a service user who has no role that the
    issuer lacks, and for nobody else: the secret of another person's token would make one person two. The person is
    told by mail. Raises `Forbidden`, and `Invalid` for an end in the past or beyond the latest, and for a scope that
    the access table does not know.
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
        tell_of_token(user, description=description, issuer=actor.name)
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
    """Revoke a token, one's own without any right: the next request with it is refused. Repeating it changes nothing.

    Raises `Forbidden`, `NotFound`.
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
    """The valid token of a bearer secret, with its user; None where `admit` would admit nobody."""
    return ServiceToken.objects.valid().select_related("user").filter(digest=digest(secret)).first()


def _when_issued(column: str) -> Subquery:
    """What the history says of the issuing of the token."""
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
    """The user of a bearer secret, and the actor it makes of them now; None for one that is unknown, revoked, expired
    or disabled. By one query, and nothing is kept: neither a token nor a role outlives its end.

    Its last use is kept to the minute: a write per request would make every read a write.
    """
    rows = _ADMITTING.fetch(digest=digest(secret))
    if not rows:
        return None
    held_from = len(_OF_TOKEN) + len(_OF_USER)
    (pk, scopes, last_used_at, issuer, maker), of_user = rows[0][: len(_OF_TOKEN)], rows[0][len(_OF_TOKEN) : held_from]
    if last_used_at is None or last_used_at < timezone.now() - USE_RECORDED_EVERY:
        ServiceToken.objects.filter(pk=pk).update(last_used_at=timezone.now())
    user = User.from_db(None, _OF_USER, of_user)
    found = actor_with(user, (row[held_from:] for row in rows))
    bound = None if scopes is None else frozenset(scopes)
    if issuer != found.name:
        maker = issuer
    return user, replace(found, scopes=bound, credential=f"token:{pk}", maker=maker or "")
