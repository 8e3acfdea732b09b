"""Service users: users that are programs."""

from collections.abc import Iterable

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from milo import audit
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Invalid
from milo.identity.access import TOKENS
from milo.identity.actors import PERSON
from milo.identity.models import ServiceUser
from milo.identity.usernames import fault_of_new, lock_names


def programs_of(names: Iterable[str]) -> frozenset[str]:
    """Return the names of service users among names of actors."""
    users = {name.removeprefix(PERSON): name for name in names if name.startswith(PERSON)}
    usernames = ServiceUser.objects.filter(user__username__in=users).values_list("user__username", flat=True)
    return frozenset(users[username] for username in usernames)


def create_service_user(username: str, *, description: str = "", actor: Actor) -> ServiceUser:
    """Create a user for a program: without a password, without access to the staff site, and without roles.

    Raises `Forbidden` without the permission, `Invalid` for an invalid name or one that looks like another, and
    `AlreadyExists` for a taken name, since a person never becomes a program.
    """
    actor.require("create", TOKENS, None)
    user = User(username=username, password=make_password(None))
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise Invalid.because([Cause("username", "; ".join(error.messages))]) from error
    with audit.transaction():
        if User.objects.filter(username=username).exists():
            raise AlreadyExists(_("user %(name)s already exists") % {"name": username})
        lock_names()
        if why := fault_of_new(username):
            raise Invalid.because([Cause("username", why)])
        audit.save_as(actor, user, reason="ServiceUserCreated", why=description)
        service_user = ServiceUser(user=user, description=description)
        return audit.save_as(actor, service_user, reason="ServiceUserCreated", why=description)
