"""The setting MILO_OIDC: the OpenID Connect provider, as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from milo.settings.values import JSON_OBJECT, Format

LOOPBACK = ("127.0.0.1", "::1", "localhost")
LONGEST_SKEW_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Provider:
    """The setting MILO_OIDC. `groups` maps a value of the groups claim to a role across the platform.

    Issuer and the claim `sub` identify a person. `username_claim` is read only at the first log-in, for the name of the
    new user. With `client_id`, `authorization_url` and `token_url` staff may log in to the staff site through the
    provider; ID tokens must have the client as audience.
    """

    issuer: str
    audience: str
    jwks_url: str
    username_claim: str = "sub"
    groups_claim: str = "groups"
    groups: dict[str, str] = field(default_factory=dict)
    clock_skew_seconds: int = 60
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    authorization_url: str = ""
    token_url: str = ""

    @property
    def opens_staff_site(self) -> bool:
        return bool(self.client_id and self.authorization_url and self.token_url)


_NAMES = tuple(each.name for each in fields(Provider))
_OTHER_TYPES = ("groups", "clock_skew_seconds")


def faults_of(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield each fault of a provider. No fault repeats a value: one of them is a secret."""
    for name in given:
        if name not in _NAMES:
            near = get_close_matches(name, _NAMES, n=1)
            yield f"{name} is not a field" + (f": did you mean {near[0]}?" if near else f" ({', '.join(_NAMES)})")
    for name in _NAMES:
        if name not in _OTHER_TYPES and not isinstance(given.get(name, ""), str):
            yield f"{name} must be a text"
    for name in ("issuer", "audience", "username_claim", "groups_claim"):
        if not given.get(name, "sub" if name.endswith("_claim") else ""):
            yield f"{name} must be given"
    groups = given.get("groups", {})
    if not isinstance(groups, dict) or not all(isinstance(role, str) for role in groups.values()):
        yield "groups must be an object of texts, from group to role"
    skew = given.get("clock_skew_seconds", 0)
    if isinstance(skew, bool) or not isinstance(skew, int) or not 0 <= skew <= LONGEST_SKEW_SECONDS:
        yield f"clock_skew_seconds must be a whole number from 0 to {LONGEST_SKEW_SECONDS}"
    yield from _faults_of_addresses(given)


def _faults_of_addresses(given: Mapping[str, Any]) -> Iterator[str]:
    for name in ("jwks_url", "authorization_url", "token_url"):
        url = given.get(name, "")
        # over plain HTTP a third party could replace the keys, or intercept a code
        if (url or name == "jwks_url") and isinstance(url, str) and not _is_safe(url):
            yield f"{name} must begin with https://"
    staff_site = [bool(given.get(name)) for name in ("client_id", "authorization_url", "token_url")]
    if any(staff_site) and not all(staff_site):
        yield "client_id, authorization_url and token_url go together"


def _is_safe(url: str) -> bool:
    try:
        address = urlsplit(url)
        _ = address.port
    except ValueError:
        return False
    return bool(address.hostname) and (
        address.scheme == "https" or (address.scheme == "http" and address.hostname in LOOPBACK)
    )


def _provider(text: str) -> Provider | None:
    given = JSON_OBJECT.parse(text)
    if faults := "; ".join(faults_of(given)):
        raise ValueError(faults)
    return Provider(**given) if given else None


PROVIDER = Format("a JSON object with issuer, audience and jwks_url", _provider)
