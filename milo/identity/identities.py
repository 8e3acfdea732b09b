"""Identities: the mapping of subjects of an OpenID Connect provider to users."""

from dataclasses import replace

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed

from milo import audit
from milo.access import Actor
from milo.errors import Cause, Forbidden, Invalid, NotFound, Refused
from milo.identity import names, sessions
from milo.identity.access import IDENTITIES
from milo.identity.actors import actor_of, roles_beyond
from milo.identity.models import Identity
from milo.identity.usernames import lock_names, taken_name

PROVIDER = Actor.system("oidc")
LONGEST = 255


def is_subject(subject: object) -> bool:
    """Return whether this is a valid subject: 1 to 255 ASCII characters (OpenID Connect Core 1.0, section 2)."""
    return isinstance(subject, str) and 0 < len(subject) <= LONGEST and subject.isascii() and subject.isprintable()


def person_of(issuer: str, subject: str, name: str) -> Identity:
    """Return the identity, with its user, of a subject that the provider has authenticated.

    An unknown subject gets a new user with this name and without a password. Raises `AuthenticationFailed` if the name
    is invalid, taken, or looks like a taken one. A platform-admin can then link the subject to that user.
    """
    return _known(issuer, subject) or _first_seen(issuer, subject, name)


def link(user: User, issuer: str, subject: str, *, why: str, actor: Actor) -> Identity:
    """Link a subject of the provider to `user`, effective with its next request. Idempotent.

    `why` is a sentence for people, kept in the history. Raises `Forbidden` without the permission, or if the user has
    more permissions than the actor. Raises `Invalid` without `why`, for an invalid issuer or subject, and for a subject
    that is linked to another user.
    """
    actor.require("create", IDENTITIES, None)
    _refuse_more_rights(user, actor)
    causes = [Cause.required("reason")] if not why.strip() else []
    causes += [Cause("subject", _("has 1 to 255 ASCII characters"))] if not is_subject(subject) else []
    causes += [Cause("issuer", _("has 1 to 255 ASCII characters"))] if not is_subject(issuer) else []
    if causes:
        raise Invalid.because(causes)
    with audit.transaction():
        lock_names()
        if known := _known(issuer, subject):
            if known.user_id == user.pk:
                return known
            message = _("stands for %(user)s already: unlink it first") % {"user": known.user.get_username()}
            raise Invalid.because([Cause("subject", message)])
        identity = Identity(user=user, issuer=issuer, subject=subject)
        return audit.save_as(actor, identity, reason="IdentityLinked", why=why)


def unlink(identity_id: int, *, why: str, actor: Actor) -> None:
    """Unlink a subject from its user and end the user's sessions.

    The subject's next request is refused as long as its name is taken. Raises `Forbidden` without the permission, or if
    the user has more permissions than the actor; `NotFound`; and `Invalid` without `why`.
    """
    actor.require("delete", IDENTITIES, None)
    if not why.strip():
        raise Invalid.because([Cause.required("reason")])
    with audit.transaction():
        identity = (
            Identity.objects.select_for_update(of=("self",)).select_related("user").filter(pk=identity_id).first()
        )
        if identity is None:
            raise NotFound("there is no such identity")
        _refuse_more_rights(identity.user, actor)
        audit.delete_as(actor, identity, reason="IdentityUnlinked", why=why)
        # any of them may have begun with a log-in by this subject
        sessions.end(identity.user)


def linker_of(identity: Identity) -> str:
    """Return the actor who linked the subject; "" if it was created at the subject's first request."""
    linked = Identity.history.filter(id=identity.pk, history_type="+").order_by("history_id")
    author: str = linked.values_list("history_user_id", flat=True)[0]
    return "" if author == PROVIDER.name else author


def _known(issuer: str, subject: str) -> Identity | None:
    return Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()


def _first_seen(issuer: str, subject: str, claimed: str) -> Identity:
    name = names.normalize(claimed)
    if why := names.fault(name):
        raise AuthenticationFailed(_("the name that the token claims %(why)s") % {"why": why})
    with audit.transaction():
        lock_names()
        if known := _known(issuer, subject):
            return known
        if taken_name(name):
            raise AuthenticationFailed(
                _("the name %(name)s is another person's here, or looks like it: a platform-admin may link %(subject)s")
                % {"name": name, "subject": subject}
            )
        try:
            user = audit.save_as(PROVIDER, User(username=name, password=make_password(None)), reason="PersonFirstSeen")
        except Refused as refusal:
            raise AuthenticationFailed(refusal.message) from refusal
        return audit.save_as(PROVIDER, Identity(user=user, issuer=issuer, subject=subject), reason="IdentityFirstSeen")


def _refuse_more_rights(user: User, actor: Actor) -> None:
    """Raise `Forbidden` if `user` has permissions that the actor lacks: linking would let the actor act as the user.

    Roles in organizations do not count for a superuser, who can grant them.
    """
    if actor.is_system:
        return
    mighty = User.objects.filter(username=actor.name.removeprefix("user:"), is_superuser=True).exists()
    theirs = actor_of(user)
    more = roles_beyond(theirs, replace(actor, organizations=theirs.organizations) if mighty else actor)
    if more or (user.is_superuser and not mighty):
        raise Forbidden(_("%(user)s has more rights than you have") % {"user": user.get_username()})
