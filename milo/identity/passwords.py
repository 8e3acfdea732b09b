"""Passwords. Only the person sets them: by a single-use link, or with knowledge of the current password."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db.models import Q, QuerySet, Subquery
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from milo import audit
from milo.access import Actor
from milo.compiled_queries import CompiledQuery, Param
from milo.errors import Cause, Conflict, Invalid
from milo.identity.access import PASSWORD_LINKS
from milo.identity.actors import PERSON, actor_of
from milo.identity.mails import queue_mail
from milo.identity.models import PasswordLink, ServiceUser

_SET = Q(history_change_reason__in=["PasswordSet", "UserCreated"])


class LinkTokens(PasswordResetTokenGenerator):
    """Django's password reset tokens, bound to the newest unused link: a new link invalidates earlier ones."""

    key_salt = "milo.identity.passwords"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{_open_link(user)}"

    def check_token(self, user: Any, token: str | None) -> bool:
        """Return whether the token is valid for `user` now."""
        return bool(user and _open_link(user) and super().check_token(user, token))


TOKENS_OF_LINKS = LinkTokens()


def _open_link(user: User) -> int | None:
    newest = PasswordLink.objects.filter(user=user).order_by("-pk").first()
    return newest.pk if newest and newest.used_at is None else None


def request_link(user: User, *, actor: Actor) -> tuple[str, str]:
    """Record that `actor` asks `user` to set a password. Return the encoded user id and the token of the link.

    Put these two into a mail to the person and nowhere else. Raises `Forbidden` without the permission, and `Invalid`
    for a service user or a person without an e-mail address.
    """
    actor.require("create", PASSWORD_LINKS, None)
    if ServiceUser.objects.filter(user=user).exists():
        raise Invalid.because([Cause("user", _("is a service user, which has no password"))])
    if not user.email:
        raise Invalid.because([Cause("email", _("is needed for the link by which the person sets a password"))])
    with audit.transaction():
        User.objects.select_for_update().get(pk=user.pk)
        link = PasswordLink(user=user, requested_by=actor.name)
        link.requested_at = audit.ledger_time(link)
        audit.save_as(actor, link, reason="PasswordLinkRequested")
    return urlsafe_base64_encode(force_bytes(user.pk)), TOKENS_OF_LINKS.make_token(user)


def send_link(user: User, address: str, *, sender: str) -> None:
    """Mail `user` the URL where they set their password."""
    text = _(
        "%(sender)s asks you to set your password in Milo. This address is good once, for %(days)s days:\n%(address)s"
    )
    queue_mail(user, _("Set your password in Milo"), text % {"sender": sender, "days": 3, "address": address})


def set_by_link(user: User, password: str) -> None:
    """Set the password of a person who followed their link, and mark the link as used.

    Raises `Conflict` if the link has been used in the meantime. The caller has checked the token.
    """
    with audit.transaction():
        User.objects.select_for_update().get(pk=user.pk)
        link = PasswordLink.objects.filter(pk=_open_link(user) or 0).first()
        if link is None:
            raise Conflict(_("this link was used already: ask for another one"))
        link.used_at = audit.ledger_time(link)
        audit.save_as(actor_of(user), link, reason="PasswordLinkUsed")
        user.set_password(password)
        audit.save_as(actor_of(user), user, reason="PasswordSet")


def maker_of(user: User) -> str:
    """Return the actor behind the current password: who requested the used link, or who set it by a command.

    The later of the two counts; "" if there is neither. A command line acts as `system:shell`. A person who changes
    their own password with the old one does not become its maker.
    """
    other = _SET_BY_ANOTHER.first(user=user.pk, name=f"{PERSON}{user.get_username()}")
    if other is None:
        link = _used_links(user.pk).first()
        return link.requested_by if link else ""
    author, at, link_by, link_at = other
    maker: str = link_by if link_at and link_at >= at else author
    return maker


def _used_links(user: Any) -> QuerySet[PasswordLink]:
    return PasswordLink.objects.filter(user=user).exclude(used_at=None).order_by("-pk")


def _set_by_another() -> QuerySet[Any]:
    """The last password that another than the person set, with their last used link."""
    user, used = Param("user"), _used_links(Param("user"))
    past = audit.histories()[User].model_of(User)._base_manager.filter(id=user)
    by_others = past.filter(_SET).exclude(history_user_id=Param("name")).order_by("-history_id")
    with_link = by_others.annotate(
        link_by=Subquery(used.values("requested_by")[:1]), link_at=Subquery(used.values("used_at")[:1])
    )
    newest: QuerySet[Any] = with_link.values_list("history_user_id", "history_date", "link_by", "link_at")[:1]
    return newest


# every page of the staff site asks
_SET_BY_ANOTHER = CompiledQuery(_set_by_another)


class PasswordChangeMail:
    """A password validator that accepts everything. Django's hook `password_changed` sends the person a mail."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Accept the password."""

    def get_help_text(self) -> str:
        """Say nothing."""
        return ""

    def password_changed(self, password: str, user: User) -> None:
        """Mail the person."""
        text = _("Your password in Milo was changed. Where it was not you, tell the platform's administrators at once.")
        queue_mail(user, _("Your password in Milo was changed"), text)
