"""People and their platform roles: for superusers alone, never renamed, never deleted."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory

from milo.access import TABLE
from milo.identity.actors import actor_of
from tests import make
from tests.admin.browser import browser, buttons, list_of, page_of, superuser


@pytest.fixture
def root(db: None) -> Client:
    return superuser()


def sent(page: Any, **answers: Any) -> dict[str, Any]:
    form = page.context["adminform"].form
    shown = {field.html_name: field.value() for field in form if field.value() not in (None, False)}
    return {**shown, **answers}


def test_a_person_is_made_and_may_log_in(root: Client) -> None:
    password = "correct horse battery"
    answers = {"username": "approver", "password1": password, "password2": password, "usable_password": "true"}
    assert root.post(list_of(User, "add"), answers).status_code == 302
    assert authenticate(RequestFactory().post("/admin/login/"), username="approver", password=password)


def test_every_platform_role_of_the_access_table_can_be_given(root: Client) -> None:
    person = make.a_person(is_staff=True)
    page = root.get(page_of(person))
    choices = {name: pk.value for pk, name in page.context["adminform"].form.fields["groups"].choices}
    assert set(choices) == {rule.role for rule in TABLE if not rule.organization}
    assert root.post(page_of(person), sent(page, groups=[choices["auditor"]])).status_code == 302
    assert actor_of(person).roles == {"auditor"}


def test_a_person_is_not_renamed_because_the_history_names_them(root: Client) -> None:
    person = make.a_person("requester")
    root.post(page_of(person), sent(root.get(page_of(person)), username="other", email="r@acme-corp.example"))
    person.refresh_from_db()
    assert (person.username, person.email) == ("requester", "r@acme-corp.example")


def test_a_person_is_not_deleted(root: Client) -> None:
    person = make.a_person("requester")
    assert root.post(page_of(person, "delete"), {"post": "yes"}).status_code == 403
    root.post(list_of(User), {"action": "delete_selected", "_selected_action": [person.pk], "post": "yes"})
    assert User.objects.filter(pk=person.pk).exists()


def test_permissions_of_django_open_nothing(root: Client) -> None:
    person = make.a_person(groups=("finance-operator",), is_staff=True)
    person.user_permissions.set(Permission.objects.all())
    client, target = browser(person), make.a_person("target")
    for address in (list_of(User), page_of(target), page_of(target, "password"), list_of(User, "add")):
        assert client.get(address).status_code == 403, address
    assert client.post(page_of(person), {"username": "x", "is_superuser": "on"}).status_code == 403
    person.refresh_from_db()
    assert not person.is_superuser


def test_no_page_offers_permissions_of_django(root: Client) -> None:
    person = make.a_person()
    assert "user_permissions" not in root.get(page_of(person)).content.decode()
    assert buttons(root.get(list_of(User))) == set()


def test_whoever_deactivates_the_last_billing_admin_is_told_so(root: Client) -> None:
    alone, shared = make.an_organization(), make.an_organization()
    make.a_person(roles={shared: "billing-admin"})
    person = make.a_person(roles={alone: "billing-admin", shared: "billing-admin"})
    page = sent(root.get(page_of(person)))
    del page["is_active"]
    told = [str(message) for message in root.post(page_of(person), page, follow=True).context["messages"]]
    person.refresh_from_db()
    assert not person.is_active
    assert f"No active billing-admin is left in {alone}: grant the role to somebody else." in told
    assert not any(shared.name in message for message in told)
    again = root.post(page_of(person), page, follow=True)
    assert not any("No active" in str(message) for message in again.context["messages"])
