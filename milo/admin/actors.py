"""The actor of a request to the staff site."""

from dataclasses import replace

from django.contrib.auth.models import User
from django.http import HttpRequest

from milo.access import Actor
from milo.identity.actors import actor_of
from milo.identity.passwords import maker_of

CREDENTIAL, LINKER = "session", "milo_identity_linker"


def request_actor(request: HttpRequest) -> Actor:
    """Return the actor of the logged-in person, read once per request. Without roles unless active staff."""
    if not hasattr(request, "milo_actor"):
        user, actor = request.user, Actor("anonymous")
        if isinstance(user, User) and user.is_active and user.is_staff:
            actor = replace(actor_of(user), credential=CREDENTIAL, maker=_maker_of_session(request, user))
            # roles from the groups claim of a log-in through the OpenID Connect provider
            if of_groups := request.session.get("milo_oidc_roles"):
                actor = replace(actor, roles=actor.roles | set(of_groups))
        request.milo_actor = actor  # type: ignore[attr-defined]
    known: Actor = request.milo_actor  # type: ignore[attr-defined]
    return known


def _maker_of_session(request: HttpRequest, user: User) -> str:
    """Return the maker of the credential that the person logged in with.

    That is who linked the identity, or who is behind the password (`passwords.maker_of`). Decisions and tokens made in
    the session count as theirs too.
    """
    linker = request.session.get(LINKER)
    return maker_of(user) if linker is None else linker
