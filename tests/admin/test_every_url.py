"""No address of the staff site, by the URLconf's own list, shows anything to whoever has no role on it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.admin.browser import browser, staff
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes

# what shows nothing of the ledger, by design
OPEN = {
    "/admin/password-link/MQ/forged/",
    "/admin/login/",
    "/admin/jsi18n/",
    "/admin/logout/",
    "/admin/second-factor/",
    "/admin/oidc/login/",
    "/admin/oidc/callback/",
}


def urls(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from urls(pattern.url_patterns, route)
        else:
            yield route, pattern


def addresses(world: World) -> list[str]:
    """Every address of the staff site, about objects that there are."""
    keys = {
        "organization": world.organization.pk,
        "project": world.project.pk,
        "billingaccount": world.us.pk,
        "billingaccountbinding": world.first.pk,
        "membership": world.membership.pk,
        "servicetoken": world.token.pk,
        "identity": world.identity.pk,
        "login": world.log_in.pk,
        "user": User.objects.earliest("pk").pk,
    }
    found = []
    for route, _pattern in urls(get_resolver().url_patterns):
        if route.startswith("admin/"):
            model = route.split("/")[2] if route.count("/") > 2 else ""
            key = str(keys.get(model, 1))
            route = route.replace("<int:user_id>", str(keys["user"])).replace("<uidb64>/<token>", "MQ/forged")
            for placeholder in ("<path:object_id>", "<path:content_type_id>", "<id>", "([^/]+)"):
                route = route.replace(placeholder, key)
            route = route.replace("(?P<url>.*)", "nowhere/")
            found.append("/" + route.split("(?P<app_label>")[0])
    return sorted(set(found) - OPEN)


def test_the_list_of_addresses_is_whole(world: World) -> None:
    found = addresses(world)
    assert len(found) > 60
    assert not [address for address in found if set(address) & set("<>()^$")]


@pytest.mark.once  # refused before the database is asked for an object
@pytest.mark.parametrize("who", ["nobody", "customer", "staff without a role"])
def test_strangers_are_refused_everywhere(world: World, who: str) -> None:
    client = {
        "nobody": Client,
        "customer": lambda: browser(make.a_person(roles={world.organization: "billing-admin"})),
        "staff without a role": staff,
    }[who]()
    with nothing_changes():
        for address in addresses(world):
            for method in ("get", "post"):
                answer = getattr(client, method)(address, {"confirm": "1"} if method == "post" else {})
                assert answer.status_code in (302, 403, 404, 405), (method, address)
                assert b"acme" not in answer.content, (method, address)
                if who == "nobody" and answer.status_code == 302:
                    assert answer.headers["Location"].startswith(("/admin/login/", "/admin/")), (method, address)


def test_a_forged_link_sets_no_password(world: World) -> None:
    answers = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}
    for key in ("MQ", "forged", "LTE"):
        for token in ("forged", "set-password"):
            client = Client()
            with nothing_changes():
                assert b"new_password1" not in client.get(f"/admin/password-link/{key}/{token}/").content
                assert client.post(f"/admin/password-link/{key}/{token}/", answers).status_code == 200
