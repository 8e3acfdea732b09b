"""The person who is logged in on the staff site, as an actor."""

from dataclasses import replace

from django.contrib.auth.models import User
from django.http import HttpRequest

from milo.access import Actor
from milo.identity.actors import actor_of
from milo.identity.passwords import maker_of

CREDENTIAL, LINKER = "session", "milo_identity_linker"


def request_actor(request: HttpRequest) -> Actor:
    """The actor that the logged-in person is, read once per request; one without any role for all but active staff."""
    if not hasattr(request, "milo_actor"):
        user, actor = request.user, Actor("anonymous")
        if isinstance(user, User) and user.is_active and user.is_staff:
            actor = replace(actor_of(user), credential=CREDENTIAL, maker=_maker_of_session(request, user))
            # of the groups in the token of a log-in by the provider
            if of_groups := request.session.get("milo_oidc_roles"):
                actor = replace(actor, roles=actor.roles | set(of_groups))
        request.milo_actor = actor  # type: ignore[attr-defined]
    known: Actor = request.milo_actor  # type: ignore[attr-defined]
    return known


def _maker_of_session(request: HttpRequest, user: User) -> str:
    """Who linked the identity by which the person logged in, or requested the link by which they set their password.

    A decision, and a token that is issued here, are of that one too.
    """
    linker = request.session.get(LINKER)
    return maker_of(user) if linker is None else linker
