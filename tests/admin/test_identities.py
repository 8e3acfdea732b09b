"""Identities on the staff site: linked and unlinked by platform-admins, with a reason that stays."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from milo.admin.messages import why
from milo.identity.models import Identity
from tests.admin.browser import buttons, errors, list_of, page_of, staff, submit, superuser
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes

ISSUER = "https://id.example"


@pytest.fixture
def admin(db: None) -> Client:
    return staff("platform-admin", name="admin")


def test_a_subject_is_linked_and_unlinked_with_reasons_in_the_history(world: World, admin: Client) -> None:
    person = make.a_person("clerk")
    submit(admin, list_of(Identity, "link"), user=person.pk, issuer=ISSUER, subject="5678", why="HR-12")
    identity = Identity.objects.get(user=person)
    assert page_of(identity, "unlink") in buttons(admin.get(page_of(identity)))
    answer = submit(admin, page_of(identity, "unlink"), why="has left")
    assert answer.headers["Location"] == list_of(Identity)
    assert not Identity.objects.filter(pk=identity.pk).exists()
    shown = admin.get(page_of(identity, "history")).content.decode()
    assert why("IdentityLinked: HR-12") in shown
    assert why("IdentityUnlinked: has left") in shown


def test_the_issuer_of_the_settings_stands_in_the_form(admin: Client, settings: object) -> None:
    settings.MILO_OIDC = {"issuer": ISSUER, "audience": "milo", "jwks_url": "https://id.example/keys"}  # type: ignore[attr-defined]
    assert admin.get(list_of(Identity, "link")).context["form"]["issuer"].value() == ISSUER


def test_a_reason_must_be_given_and_a_superuser_is_not_linked_by_a_platform_admin(admin: Client) -> None:
    root = make.a_person("root", is_superuser=True)
    typed = {"issuer": ISSUER, "subject": "1234"}
    with nothing_changes():
        page = submit(admin, list_of(Identity, "link"), user=make.a_person().pk, **typed)
        assert list(errors(page)) == ["why"]
        page = submit(admin, list_of(Identity, "link"), user=root.pk, why="mine", **typed)
        assert "more rights" in str(errors(page))
    submit(superuser(), list_of(Identity, "link"), user=root.pk, why="hers", **typed)
    assert User.objects.get(identities__subject="1234") == root


def test_the_staff_of_finance_neither_see_nor_link_nor_unlink(world: World, operator: Client) -> None:
    with nothing_changes():
        for address in (
            list_of(Identity),
            list_of(Identity, "link"),
            page_of(world.identity),
            page_of(world.identity, "unlink"),
        ):
            assert operator.get(address).status_code == 403
            assert operator.post(address, {"why": "x", "user": 1, "subject": "1"}).status_code in (403, 405)
