"""People and their platform roles: for superusers alone, never renamed, never deleted."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, Permission, User
from django.core import mail
from django.test import Client, RequestFactory

from milo import audit
from milo.access import TABLE, Actor
from milo.admin.messages import why
from milo.admin.reasons import reason_text
from milo.identity.actors import actor_of
from milo.identity.models import PasswordLink
from milo.identity.passwords import request_link, set_by_link
from milo.identity.service_users import create_service_user
from tests.admin.browser import browser, buttons, errors, list_of, page_of, staff, submit, superuser
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once


@pytest.fixture
def root(db: None) -> Client:
    return superuser()


def sent(page: Any, **answers: Any) -> dict[str, Any]:
    form = page.context["adminform"].form
    shown = {field.html_name: field.value() for field in form if field.value() not in (None, False)}
    return {**shown, **answers}


def address_in(letter: Any) -> str:
    """The address of the link in a mail."""
    link: str = next(line for line in letter.body.splitlines() if line.startswith("http"))
    return link.removeprefix("http://testserver")


def set_password(address: str, password: str) -> Any:
    """What a person does who has got the mail, in a browser of their own."""
    client = Client()
    form = client.get(address, follow=True)
    return client.post(form.request["PATH_INFO"], {"new_password1": password, "new_password2": password})


def test_a_person_is_made_and_sets_their_own_password(root: Client, django_capture_on_commit_callbacks: Any) -> None:
    password = "correct horse battery"
    answers = {"username": "approver", "email": "approver@example.org"}
    with django_capture_on_commit_callbacks(execute=True):
        assert root.post(list_of(User, "add"), answers).status_code == 302
    assert not User.objects.get(username="approver").has_usable_password()
    set_password(address_in(mail.outbox[-1]), password)
    assert authenticate(RequestFactory().post("/admin/login/"), username="approver", password=password)


def test_a_link_is_good_once_and_a_new_one_ends_it(root: Client, django_capture_on_commit_callbacks: Any) -> None:
    person = make.a_person("approver", email="approver@example.org")
    page = sent(root.get(page_of(person)), send_password_link="on")
    for _time in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert root.post(page_of(person), page).status_code == 302
    older, newer = (address_in(letter) for letter in mail.outbox)
    set_password(older, "an older password")
    with django_capture_on_commit_callbacks(execute=True):
        set_password(newer, "the newer password")
    set_password(newer, "yet another password")
    person.refresh_from_db()
    assert person.check_password("the newer password")
    assert "was changed" in mail.outbox[-1].subject
    asked, used = PasswordLink.objects.order_by("pk")
    assert (asked.used_at, asked.requested_by) == (None, used.requested_by)
    assert used.used_at


def test_nobody_sets_the_password_of_another_person(root: Client) -> None:
    person = make.a_person("approver")
    answers = {"password1": "correct horse battery", "password2": "correct horse battery", "usable_password": "true"}
    assert root.get(page_of(person, "password")).status_code == 403
    assert root.post(page_of(person, "password"), answers).status_code == 403
    assert "password1" not in root.get(list_of(User, "add")).content.decode()
    root.post(list_of(User, "add"), {"username": "other", "email": "other@example.org", **answers})
    assert not User.objects.get(username="other").has_usable_password()
    before = person.password
    root.post(page_of(person), sent(root.get(page_of(person)), password="md5$a$b"))
    person.refresh_from_db()
    assert person.password == before


def test_a_password_set_by_the_link_of_the_requester_decides_nothing_of_theirs(
    django_capture_on_commit_callbacks: Any,
) -> None:
    asker = make.a_person("asker", is_staff=True, is_superuser=True)
    approver = make.a_person("approver", groups=("finance-approver",), is_staff=True, email="a@example.org")
    request = make.a_request(make.a_ready_account(make.an_organization()), actor=actor_of(asker))
    client = browser(asker)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page_of(approver), sent(client.get(page_of(approver)), send_password_link="on"))
    set_password(address_in(mail.outbox[-1]), "correct horse battery")
    page = submit(browser(User.objects.get(pk=approver.pk)), page_of(request, "approve"))
    assert "made the credential that you act by" in errors(page)["__all__"][0]


def test_a_superuser_does_not_lock_themselves_out_and_another_one_may(root: Client) -> None:
    own, ways_in = User.objects.get(), ("is_active", "is_staff", "is_superuser")
    for name in ways_in:
        answers = sent(root.get(page_of(own)))
        del answers[name]
        page = root.post(page_of(own), answers)
        assert "another superuser can take it from you" in page.context["adminform"].form.errors[name][0]
        own.refresh_from_db()
        assert (own.is_active, own.is_staff, own.is_superuser) == (True, True, True)
    assert root.post(page_of(own), sent(root.get(page_of(own)), first_name="Ada")).status_code == 302
    other = superuser()
    answers = sent(other.get(page_of(own)))
    assert other.post(page_of(own), {name: answers[name] for name in answers if name not in ways_in}).status_code == 302
    own.refresh_from_db()
    assert (own.is_active, own.is_staff, own.is_superuser, own.first_name) == (False, False, False, "Ada")


def test_a_service_user_is_let_in_by_no_form(root: Client) -> None:
    robot = create_service_user("robot", actor=make.PLATFORM).user
    for answer in ({"is_staff": "on"}, {"is_superuser": "on"}, {"send_password_link": "on", "email": "r@example.org"}):
        assert root.post(page_of(robot), sent(root.get(page_of(robot)), **answer)).status_code == 200
    robot.refresh_from_db()
    assert (robot.is_staff, robot.is_superuser) == (False, False)


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


def test_an_auditor_reads_who_has_which_role_and_changes_nothing(root: Client) -> None:
    person = make.a_person("target", groups=("finance-operator",), email="target@milo.example", is_staff=True)
    create_service_user("robot", actor=make.PLATFORM)
    client = staff("auditor")
    page = client.get(page_of(person))
    assert page.status_code == 200
    text = page.content.decode()
    assert "finance-operator" in text
    assert "Roles in organizations" in text
    assert [
        it
        for it in ("target@milo.example", person.password, f"/sessions/{person.pk}", "/reset/", "send_password")
        if it in text
    ] == []
    assert '<form id="user_form"' not in text or 'type="submit" name="_save"' not in text
    assert "robot" in client.get(list_of(User)).content.decode()
    assert client.get(page_of(person, "history")).status_code == 200
    with nothing_changes():
        for address in (list_of(User, "add"), page_of(person, "password"), page_of(person, "delete")):
            assert client.get(address).status_code == 403, address
        for address in (page_of(person), list_of(User, "add"), f"/admin/sessions/{person.pk}/"):
            assert client.post(address, {"username": "x", "is_superuser": "on"}).status_code == 403, address
        assert client.post(f"/admin/second-factor/{person.pk}/reset/", {"why": "x"}).status_code == 403
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


def test_what_is_done_to_people_names_the_credential_and_its_maker(root: Client) -> None:
    administrator = make.a_person("invited", is_superuser=True, is_staff=True, email="invited@example.org")
    request_link(administrator, actor=Actor.system("root"))
    set_by_link(administrator, "correct horse battery")
    client = Client()
    client.force_login(administrator)
    person, role = make.a_person("approver"), Group.objects.get(name="finance-approver")
    answers = sent(client.get(page_of(person)), email="approver@example.org", groups=[role.pk])
    assert client.post(page_of(person), answers).status_code == 302
    for model in (User, User.groups.through):
        row: Any = audit.histories()[model].model_of(model)._base_manager.latest("history_id")
        assert row.history_user_id == "user:invited"
        assert (row.history_credential, row.history_credential_maker) == ("session", "system:root")


@pytest.mark.parametrize("name", ["\u0430pprover", "APPROVER", "\uff41pprover", "appr0ver"])
def test_a_new_person_looks_like_nobody_there_is(root: Client, name: str) -> None:
    make.a_person("approver")
    page = root.post(list_of(User, "add"), {"username": name, "email": "other@example.org"})
    assert page.status_code == 200
    assert page.context["adminform"].form.errors["username"]
    assert User.objects.count() == 2


def test_the_page_of_a_person_shows_their_roles_and_who_changed_which(root: Client) -> None:
    organization, approver = make.an_organization(), Group.objects.get(name="finance-approver")
    person = make.a_person("approver", is_staff=True, roles={organization: "billing-viewer"})
    root.post(page_of(person), sent(root.get(page_of(person)), groups=[approver.pk]))
    page = sent(root.get(page_of(person)))
    del page["groups"]
    root.post(page_of(person), page)
    held, changed = root.get(page_of(person)).context["panels"]
    assert [str(cell) for cell in held.rows[0]][3] == "system:tests"
    assert organization.name in held.rows[0][0]
    author = f"user:{User.objects.get(is_superuser=True).username}"
    assert [(row[1], row[2], row[3]) for row in changed.rows[:2]] == [
        (author, why("PlatformRoleRevoked: finance-approver"), "finance-approver"),
        (author, why("PlatformRoleGranted: finance-approver"), "finance-approver"),
    ]


def test_of_two_who_change_a_person_at_once_the_second_is_told_and_goes_over_nothing_unseen(root: Client) -> None:
    other, approver = superuser(), Group.objects.get(name="finance-approver")
    person = make.a_person("leaver", groups=("finance-approver",), is_staff=True, email="leaver@example.org")
    stale = sent(root.get(page_of(person)), last_name="Miller")
    left = sent(other.get(page_of(person)))
    for name in ("groups", "is_active", "is_staff"):
        del left[name]
    assert other.post(page_of(person), left).status_code == 302
    with nothing_changes():
        page = root.post(page_of(person), stale)
    said = [str(error) for error in page.context["adminform"].form.non_field_errors()]
    author = User.objects.order_by("pk").filter(is_superuser=True).last()
    assert author
    assert all(text.startswith(f"user:{author.username} changed it at ") for text in said[:-1])
    revoked = f"{reason_text('PlatformRoleRevoked')}: finance-approver"
    assert any(text.endswith(revoked) for text in said)
    assert "data value" not in str(said)
    assert said[-1] == "What you typed is kept. Look at the changes; sending it again goes over them."
    assert said[-1] in page.content.decode()
    person.refresh_from_db()
    assert (person.is_active, person.is_staff, person.groups.count()) == (False, False, 0)
    # a second look, after which what is sent is what is meant
    again = sent(page)
    assert (again["last_name"], again["is_active"], again["groups"]) == ("Miller", True, [str(approver.pk)])
    for name in ("groups", "is_active", "is_staff"):
        del again[name]
    assert root.post(page_of(person), again).status_code == 302
    person.refresh_from_db()
    assert (person.last_name, person.is_active, person.groups.count()) == ("Miller", False, 0)
    with nothing_changes():
        assert root.post(page_of(person), {**again, "seen": ""}).status_code == 200
    assert "seen" not in staff("auditor").get(page_of(person)).content.decode().partition("<main")[2]


@pytest.mark.parametrize(("groups", "answers"), [(("auditor",), {}), ((), {"is_superuser": "on"})])
def test_a_role_without_access_to_the_site_says_so(root: Client, groups: Any, answers: dict[str, str]) -> None:
    person = make.a_person("approver", groups=groups)
    page = root.post(page_of(person), sent(root.get(page_of(person)), **answers), follow=True)
    assert any("which this person may not enter" in str(message) for message in page.context["messages"])
    assert "no access to the site" in page.content.decode()
    assert "which this person may not enter" in root.get(page_of(person)).content.decode()
    answered = sent(root.get(page_of(person)), is_staff="on")
    page = root.post(page_of(person), answered, follow=True)
    assert not any("may not enter" in str(message) for message in page.context["messages"])
    assert "may not enter" not in root.get(page_of(person)).content.decode()


def test_a_role_of_the_api_needs_no_access_to_the_site(root: Client) -> None:
    person = make.a_person("reporter", groups=("usage-reporter",))
    assert "may not enter" not in root.get(page_of(person)).content.decode()
