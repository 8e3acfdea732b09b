"""The second factor of the staff site: a time-based one-time password (TOTP, RFC 6238), with django-otp."""

import smtplib
from math import ceil
from typing import Any

import django_otp
import structlog
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex

from milo import audit
from milo.access import DECISIONS, TABLE, Actor
from milo.errors import Cause, Forbidden, Invalid
from milo.identity import sessions

log = structlog.get_logger(__name__)
HAS_DEVICE, NEW_KEY = "milo_second_factor", "milo_second_factor_key"


def note_device(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Note in the session whether the user has a second factor: then it must be given, required or not.

    Receiver of `user_logged_in`.
    """
    request.session[HAS_DEVICE] = device_of(user) is not None


def is_missing(request: HttpRequest, actor: Actor) -> bool:
    """Return whether the logged-in person still has to give a second factor in this session."""
    verified: bool = request.user.is_verified()  # type: ignore[union-attr]  # django-otp's middleware gives it
    return not verified and (request.session.get(HAS_DEVICE, False) or is_required(actor))


def is_required(actor: Actor) -> bool:
    """Return whether the settings require a second factor of this actor."""
    if settings.MILO_SECOND_FACTOR_STAFF:
        return True
    approvers = {rule.role for rule in TABLE if DECISIONS.intersection(rule.actions)}
    return bool(settings.MILO_SECOND_FACTOR_APPROVERS and actor.roles & approvers)


def device_of(user: User) -> TOTPDevice | None:
    """Return the authenticator of a person; None if none is set up."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


def new_device(request: HttpRequest) -> TOTPDevice:
    """Return a new, unsaved authenticator. Its key stays in the session until a one-time password confirms it."""
    key = request.session.setdefault(NEW_KEY, random_hex(20))
    return TOTPDevice(user=request.user, key=key, name="authenticator", confirmed=True)


def set_up(request: HttpRequest, password: str) -> bool:
    """Save the new authenticator if the one-time password `password` matches it, and end the person's other sessions.

    Returns whether it was saved. An existing authenticator is never replaced: the log-in password alone would suffice
    for that.
    """
    user, device = request.user, new_device(request)
    assert isinstance(user, User)
    with transaction.atomic():
        # two requests at once would both find no device
        User.objects.select_for_update().get(pk=user.pk)
        if device_of(user):
            return False
        device.save()
        if not device.verify_token(password):
            transaction.set_rollback(True)
            return False
    del request.session[NEW_KEY]
    _admit(request, device)
    others = [session.id for session in sessions.sessions_of(user)]
    present = sessions.digest(request.session.session_key)
    if ended := [session for session in others if session != present]:
        sessions.end(user, *ended)
    log.info("second_factor_set_up", user=user.pk)
    return True


def verify(request: HttpRequest, password: str) -> int | None:
    """Verify a one-time password for this session. Return None if it is right, else the seconds to wait for a retry.

    The wait doubles with each wrong password and applies to all sessions of the person.
    """
    user = request.user
    assert isinstance(user, User)
    device = device_of(user)
    if device is None:
        return 0
    if django_otp.verify_token(user, device.persistent_id, password):
        _admit(request, device)
        return None
    log.warning("second_factor_refused", user=user.pk)
    device.refresh_from_db()
    _allowed, why = device.verify_is_allowed()
    until = (why or {}).get("locked_until")
    return ceil((until - timezone.now()).total_seconds()) if until else 0


def _admit(request: HttpRequest, device: TOTPDevice) -> None:
    django_otp.login(request, device)
    # a new session key, so that a key stolen before the second factor is worthless
    request.session.cycle_key()


def reset(user: User, *, why: str, by: User | None) -> None:
    """Remove the authenticator of a person who has lost it, end their sessions and notify them by mail.

    `by` is a superuser; None for the command line. Raises `Forbidden` if `by` is the person or no superuser, and
    `Invalid` if `why` is empty or contains a card number.
    """
    if by is not None and (by == user or not by.is_superuser):
        raise Forbidden(_("another person, a superuser, resets a second factor"))
    if not why.strip():
        raise Invalid.because([Cause.required("reason")])
    author = f"user:{by.get_username()}" if by else "system:shell"
    with audit.transaction():
        for device in TOTPDevice.objects.filter(user=user):
            audit.delete_as(Actor(author), device, reason="SecondFactorReset", why=why)
        if by is not None:
            person = User.objects.filter(pk=user.pk)
            LogEntry.objects.log_actions(by.pk, person, CHANGE, f"SecondFactorReset: {why}", single_object=True)
    sessions.end(user)
    log.warning("second_factor_reset", user=user.pk)
    _tell(user)


def _tell(user: User) -> None:
    text = _("The second factor of %(user)s was reset. If you did not ask for it, tell your administrator at once.")
    try:
        send_mail(
            _("Your second factor was reset"),
            text % {"user": user.get_username()},
            None,
            [user.email] * bool(user.email),
        )
    except (OSError, smtplib.SMTPException) as error:
        log.warning("second_factor_mail_failed", user=user.pk, error=error)


user_logged_in.connect(note_device, dispatch_uid="milo.identity.second_factor")
