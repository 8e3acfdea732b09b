"""Recording of log-ins to the staff site, from the signals of Django and django-axes."""

import ipaddress
from typing import Any

from axes.helpers import get_client_ip_address
from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from milo.identity.models import LogIn

Outcome = LogIn.Outcome


def connect() -> None:
    """Connect the receivers that record attempts to log in, lockouts and log-outs."""
    for signal, receiver in (
        (user_logged_in, _succeeded),
        (user_logged_out, _logged_out),
        (user_login_failed, _failed),
        (user_locked_out, _locked_out),
    ):
        signal.connect(receiver, dispatch_uid=f"milo.identity.{receiver.__name__}")


def network_of(address: str) -> str:
    """Return the network of an address: 24 bits of IPv4, 48 of IPv6; "" for an invalid address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, bits), strict=False))


def _record(request: HttpRequest | None, name: str, outcome: Outcome) -> None:
    address = get_client_ip_address(request) if request else ""
    LogIn.objects.create(name=name, outcome=outcome, address=network_of(address or ""))


def _known(name: object) -> str:
    text = str(name or "")
    return text if "\x00" not in text and User.objects.filter(username=text).exists() else ""


def _succeeded(request: HttpRequest, user: User, **kwargs: Any) -> None:
    _record(request, user.get_username(), Outcome.SUCCEEDED)


def _logged_out(request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        _record(request, user.get_username(), Outcome.LOGGED_OUT)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    _record(request, _known(credentials.get("username")), Outcome.FAILED)


def _locked_out(request: HttpRequest, username: str = "", **kwargs: Any) -> None:
    _record(request, _known(username), Outcome.LOCKED_OUT)
