"""Sessions of the staff site end by themselves, are listed, and can be ended."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.forms import PasswordInput
from django.test import Client
from django.utils import timezone

from billing.models import BillingAccount
from milo.admin.tokens import IssueOwnToken
from milo.identity.unsent import KEPT_FOR_SECONDS
from projects.models import Project
from tests.admin.browser import browser, filled_in, list_of, page_of, superuser
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once

HOME, SESSIONS = "/admin/", "/admin/sessions/"


@pytest.fixture
def person(db: None) -> User:
    return make.a_person("operator", groups=("finance-operator",), is_staff=True)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Move the clock of the sessions on, by minutes from now."""
    now = timezone.now()

    def move(minutes: float) -> None:
        monkeypatch.setattr("milo.identity.sessions.timezone.now", lambda: now + timedelta(minutes=minutes))

    move(0)
    return move


def is_in(client: Client) -> bool:
    return client.get(HOME).status_code == 200


def test_an_idle_session_ends_and_its_row_goes(person: User, later: Any) -> None:
    client = browser(person)
    later(29)
    assert is_in(client)
    later(60)
    answer = client.get(HOME)
    assert answer.headers["Location"].startswith("/admin/login/")
    assert not Session.objects.exists()
    later(29)
    assert not is_in(client)


def test_a_session_that_is_used_ends_after_twelve_hours(person: User, later: Any) -> None:
    client = browser(person)
    for minutes in range(0, 12 * 60, 25):
        later(minutes)
        assert is_in(client), minutes
    later(12 * 60 + 1)
    assert not is_in(client)


def test_the_settings_say_how_long(person: User, later: Any, settings: Any) -> None:
    settings.MILO_SESSION_IDLE_MINUTES, settings.MILO_SESSION_HOURS = 5, 1
    idle, used = browser(person), browser(person)
    for minutes in range(0, 60, 4):
        later(minutes)
        assert is_in(used)
    later(61)
    assert not is_in(used)
    assert not is_in(idle)


def test_a_form_that_is_posted_too_late_does_nothing(person: User, later: Any) -> None:
    client, other = browser(person), browser(person)
    later(31)
    client.post(SESSIONS)
    later(0)
    assert is_in(other)


def test_what_was_typed_when_a_session_ended_is_there_again_for_the_same_person(person: User, later: Any) -> None:
    account = make.a_ready_account(make.an_organization())
    page, colleague = page_of(account, "suspend"), make.a_person("other", groups=("finance-operator",), is_staff=True)
    typed = {
        "reason_code": "PaymentPastDue",
        "message": "Rechnung 17 \N{ARABIC LETTER ALEF}, 4111 1111 1111 1111",
        "internal_note": "<b>call back</b>",
        "confirm": "1",
    }

    def send_too_late() -> Client:
        later(0)
        client = browser(person)
        later(31)
        with nothing_changes():
            answer = client.post(page, typed)
        assert answer.headers["Location"] == f"/admin/login/?next={page}"
        return client

    def form_after_log_in(client: Client, who: User) -> Any:
        client.force_login(who)
        return client.get(page).context["form"]

    client = send_too_late()
    # nobody reads it before they have logged in
    assert client.get(page).status_code == 302
    client.force_login(person)
    answer = client.get(page)
    shown, form = answer.content.decode(), answer.context["form"]
    assert "Your session had ended, and nothing was done." in shown
    assert (form["reason_code"].value(), form["internal_note"].value()) == ("PaymentPastDue", "<b>call back</b>")
    assert "Rechnung 17 \N{ARABIC LETTER ALEF}, ****" in form["message"].value()
    assert "4111 1111" not in shown + str(Session.objects.get().get_decoded())
    assert BillingAccount.objects.get().phase == "Ready"
    assert client.session.get_expiry_age() > KEPT_FOR_SECONDS
    assert not client.get(page).context["form"].is_bound
    assert not form_after_log_in(send_too_late(), colleague).is_bound
    forgotten = send_too_late()
    later(32 + KEPT_FOR_SECONDS / 60)
    assert not form_after_log_in(forgotten, person).is_bound


def test_numbered_names_that_were_typed_when_a_session_ended_are_there_again(person: User, later: Any) -> None:
    page, names = list_of(Project, "move-projects"), "\r\n".join(f"team-{number}" for number in range(14))
    client = browser(person)
    later(31)
    client.post(page, {"projects": f"{names}\r\n4111111111111111", "reason": "4111 1111\r\n1111 1111"})
    client.force_login(person)
    form = client.get(page).context["form"]
    assert form["projects"].value().split() == [*names.split(), "*" * 16]
    # a text that is no list may hold a number in groups on two lines
    assert "1111" not in str(form["reason"].value()) + str(client.session.items())


def test_what_was_typed_is_kept_for_an_hour_for_pages_that_show_it(person: User, later: Any) -> None:
    account = make.a_ready_account(make.an_organization())
    for path in (SESSIONS, "/admin/time-zone/", "/admin/reveal/", "/admin/filters/"):
        later(0)
        client = browser(person)
        later(31)
        client.post(path, {"zone": "a secret", "reason": "a secret", "page": HOME})
        assert "a secret" not in str(client.session.items()), path
    for logs_in in (True, False):
        later(0)
        client = browser(person)
        later(31)
        client.post(page_of(account, "suspend"), {"message": "a secret"})
        if logs_in:
            client.force_login(person)
        later(59)
        client.get(HOME)
        assert "a secret" in str(client.session.items())
        # a visit elsewhere, or of nobody, is enough
        later(32 + KEPT_FOR_SECONDS / 60)
        client.get("/admin/login/")
        assert "a secret" not in str(client.session.items()), logs_in
        client.force_login(person)
        assert client.session.get_expiry_age() > KEPT_FOR_SECONDS


def test_addresses_in_what_an_auditor_typed_are_there_again(db: None, later: Any) -> None:
    auditor, page = make.a_person("auditor", groups=("auditor",), is_staff=True), "/admin/own-token/"
    client, text = browser(auditor), "tell books@acme-corp.example, soon"
    typed = filled_in(client.get(page), description=text)
    later(31)
    client.post(page, typed)
    client.force_login(auditor)
    again = client.get(page)
    refused = client.post(page, typed | {"read_only": "on", "scopes": ["projects"]})
    for answer in (again, refused):
        assert f'value="{text}"' in answer.content.decode()
        assert "user" not in answer.context["form"].errors
    # what another page says of the address stays masked
    make.a_person("books", email="books@acme-corp.example")
    assert "books@acme-corp.example" not in client.get(list_of(User)).content.decode()


def test_no_page_that_has_texts_kept_asks_for_a_password() -> None:
    forms = [
        action.form_class
        for model_admin in admin.site._registry.values()
        for action in (*getattr(model_admin, "list_actions", ()), *getattr(model_admin, "object_actions", ()))
    ]
    assert len(forms) > 30
    for form in (*forms, IssueOwnToken.form_class):
        for name, field in form.base_fields.items():
            assert "password" not in name, form
            assert not isinstance(field.widget, PasswordInput), form


def test_a_session_from_before_sessions_had_an_age_ends(person: User) -> None:
    client = browser(person)
    session = client.session
    del session["milo_started"], session["milo_used"]
    session.save()
    assert not is_in(client)


def test_requests_close_together_do_not_write_each(person: User, later: Any) -> None:
    client = browser(person)
    before = Session.objects.get().session_data
    assert is_in(client)
    assert Session.objects.get().session_data == before
    later(2)
    assert is_in(client)
    assert Session.objects.get().session_data != before


def test_a_person_sees_their_own_sessions_without_keys_and_ends_one_or_all_others(person: User) -> None:
    here, there, elsewhere, foreign = browser(person), browser(person), browser(person), browser(make.a_person())
    page = here.get(SESSIONS)
    assert len(page.context["sessions"]) == 3
    for key in Session.objects.values_list("session_key", flat=True):
        assert key not in page.content.decode()
    there_id = there.get(SESSIONS).context["present"]
    here.post(SESSIONS, {"id": there_id})
    assert [is_in(client) for client in (here, there, elsewhere)] == [True, False, True]
    here.post(SESSIONS)
    assert [is_in(client) for client in (here, elsewhere)] == [True, False]
    assert "_auth_user_id" in foreign.session


def test_a_new_password_takes_the_old_one_and_ends_the_other_sessions(person: User) -> None:
    person.set_password("correct horse battery")
    person.save()
    here, there = browser(person), browser(person)
    address, new = (
        "/admin/password_change/",
        {"new_password1": "staple of the stable", "new_password2": "staple of the stable"},
    )
    here.post(address, {"old_password": "another one", **new})
    assert [is_in(client) for client in (here, there)] == [True, True]
    here.post(address, {"old_password": "correct horse battery", **new})
    assert [is_in(client) for client in (here, there)] == [True, False]


def test_nobody_but_a_superuser_sees_or_ends_the_sessions_of_another(person: User) -> None:
    client, other = browser(person), make.a_person("auditor", groups=("auditor",), is_staff=True)
    theirs = browser(other)
    their_id = theirs.get(SESSIONS).context["present"]
    address = f"{SESSIONS}{other.pk}/"
    assert client.get(address).status_code == client.post(address).status_code == 403
    client.post(SESSIONS, {"id": their_id})
    assert is_in(theirs)


def test_a_superuser_ends_all_sessions_of_a_person(person: User) -> None:
    root, clients = superuser(), [browser(person), browser(person)]
    address = f"{SESSIONS}{person.pk}/"
    assert address in root.get(page_of(person)).content.decode()
    assert len(root.get(address).context["sessions"]) == 2
    root.post(address)
    assert [is_in(client) for client in clients] == [False, False]
    assert is_in(root)
    assert root.get(f"{SESSIONS}4711/").status_code == 404
