"""Auditors and approvers read who came in and who was made what by whom; nobody changes it, and no one else sees it."""

from datetime import timedelta
from itertools import product

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from milo.admin.exports import EXPORTED
from milo.admin.messages import why
from milo.admin.personal import REVEALED
from milo.identity.models import LogIn
from tests.admin.browser import browser, list_of, page_of, staff, superuser
from tests.admin.conftest import World
from tests.support import make, tamper
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db
CHANGES = "/admin/identity/login/people-changes/"
EXPORTS = "/admin/identity/login/exports/"
APPROVER = "finance-approver"


def rows(client: Client, **query: str) -> list[list[str]]:
    """The cells of the page of changes, without the instant."""
    (panel,) = client.get(CHANGES, query).context["panels"]
    return [[str(cell) for cell in row[1:]] for row in panel.rows]


def links(client: Client) -> set[str]:
    page = client.get("/admin/")
    return {item["link"] for group in page.context["sidebar_navigation"] for item in group["items"]}


@pytest.fixture
def granted() -> User:
    """A person who was made approver on the page of users by a superuser."""
    person = make.a_person("robin", is_staff=True, email="robin@milo.example", first_name="Robin")
    root = make.a_person("root", is_staff=True, is_superuser=True)
    form = {"username": "robin", "email": "robin@milo.example", "first_name": "Robin", "is_active": "on"}
    form |= {"is_staff": "on", "groups": str(Group.objects.get(name=APPROVER).pk)}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    client = browser(root)
    form["seen"] = client.get(page_of(person)).context["adminform"].form.initial["seen"]
    answer = client.post(page_of(person), form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return person


def test_who_was_made_approver_is_read_with_author_reason_and_person(granted: User, auditor: Client) -> None:
    assert ["user:root", why(f"PlatformRoleGranted: {APPROVER}"), "robin", APPROVER] in rows(auditor)


def test_a_role_that_was_taken_and_a_user_made_superuser_by_the_shell_are_read(granted: User, auditor: Client) -> None:
    granted.refresh_from_db()
    granted.groups.clear()
    granted.is_superuser = True
    granted.save()
    newest = rows(auditor, person="robin")[:2]
    assert newest == [
        ["system:shell", why("SuperuserGranted: is_superuser"), "robin", "-"],
        ["system:shell", why(f"PlatformRoleRevoked: {APPROVER}"), "robin", APPROVER],
    ]


def test_changes_are_narrowed_to_a_person_by_any_name_they_had(granted: User, auditor: Client) -> None:
    granted.username = "sasha"
    granted.save()
    for name in ("robin", "sasha"):
        found = rows(auditor, person=name)
        assert {row[2] for row in found} == {"sasha"}
        assert any(row[1].startswith(why("UserChanged: username")) for row in found)
    assert rows(auditor, person="nobody-of-that-name") == []


def test_who_was_deleted_keeps_their_name(auditor: Client) -> None:
    person = make.a_person("robin")
    with tamper.guards_off():
        person.delete()
    assert rows(auditor)[0][1:3] == [why("UserDeleted"), "robin"]


def test_tokens_and_identities_of_people_are_among_the_changes(world: World, auditor: Client) -> None:
    assert {row[2] for row in rows(auditor, person="acme-admin")} == {"acme-admin"}
    reasons = " ".join(row[1] for row in rows(auditor, person="acme-admin"))
    assert "first log-in" in reasons


def test_no_page_shows_addresses_names_of_people_or_marks_of_passwords(granted: User, auditor: Client) -> None:
    text = auditor.get(CHANGES).content.decode()
    assert "robin@milo.example" not in text
    assert "Robin" not in text
    assert "sha256" not in text


def test_pages_follow_each_other_and_leave_nothing_out(auditor: Client) -> None:
    person = make.a_person("robin")
    for number in range(120):
        person.first_name = str(number)
        person.save()
    seen, address = 0, f"{CHANGES}?person=robin"
    while address:
        with CaptureQueriesContext(connection) as queries:
            (panel,) = auditor.get(address).context["panels"]
        assert not [query["sql"] for query in queries if " OFFSET " in query["sql"]]
        seen += len(panel.rows)
        # what changes meanwhile moves nothing to the next page
        person.save()
        address = panel.following and CHANGES + panel.following
    assert seen == 121
    assert auditor.get(CHANGES, {"after": "nowhere"}).context["panels"] == []


def test_exports_follow_each_other_and_leave_nothing_out(auditor: Client) -> None:
    author = make.a_person("robin")
    LogEntry.objects.bulk_create(
        LogEntry(user=author, object_repr=f"list {number}", action_flag=EXPORTED, change_message="ListExported: csv")
        for number in range(101)
    )
    seen, address = [], EXPORTS
    while address:
        with CaptureQueriesContext(connection) as queries:
            (panel,) = auditor.get(address).context["panels"]
        assert not [query["sql"] for query in queries if " OFFSET " in query["sql"]]
        seen += [row[2] for row in panel.rows]
        address = panel.following and EXPORTS + panel.following
    assert seen == [f"list {number}" for number in reversed(range(101))]
    for key in ("0", "-1", "x", "99999999999999999999"):
        assert auditor.get(EXPORTS, {"before": key}).context["panels"] == []


def test_who_exported_or_revealed_what_is_found_by_person_action_and_period(auditor: Client) -> None:
    said = {"ListExported": EXPORTED, "PersonalDataRevealed": REVEALED, "PersonalDataSearched": REVEALED}
    people = [make.a_person(name) for name in ("robin", "sasha@example.org")]
    for person, (code, flag) in product(people, said.items()):
        LogEntry.objects.create(user=person, object_repr=code, action_flag=flag, change_message=f"{code}: more")

    def found(**asked: str) -> list[tuple[str, str]]:
        (panel,) = auditor.get(EXPORTS, asked).context["panels"]
        return [(row[1], row[2]) for row in panel.rows]

    assert len(found()) == 6
    for person, code in product(people, said):
        name = person.username
        assert found(person=name, action=code) == found(person=f"user:{name}", action=code) == [(name, code)]
    today = timezone.now()
    yesterday, tomorrow = (f"{today + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1))
    assert (found(since=tomorrow), found(until=yesterday), len(found(since=yesterday, until=tomorrow))) == ([], [], 6)
    assert "before the beginning" in auditor.get(EXPORTS, {"since": tomorrow, "until": yesterday}).content.decode()
    # the ledger, which is of changes, offers none of these, and leads here
    ledger = auditor.get("/admin/identity/login/ledger/")
    assert not {code for code, _label in ledger.context["form"].fields["action"].choices} & set(said)
    assert f'href="{EXPORTS}"' in ledger.content.decode()
    assert 'href="/admin/identity/login/ledger/"' in auditor.get(EXPORTS).content.decode()


def test_the_page_of_changes_takes_as_many_queries_for_many_people_as_for_one(auditor: Client) -> None:
    auditor.get(CHANGES)
    counts = []
    for more in (1, 20):
        for _number in range(more):
            make.a_person(groups=("auditor", APPROVER))
        with CaptureQueriesContext(connection) as queries:
            assert auditor.get(CHANGES).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_list_of_log_ins_takes_as_many_queries_for_many_as_for_one(auditor: Client) -> None:
    auditor.get(list_of(LogIn))
    counts = []
    for more in (1, 20):
        LogIn.objects.bulk_create([LogIn(name="robin", outcome=LogIn.Outcome.FAILED) for _number in range(more)])
        with CaptureQueriesContext(connection) as queries:
            assert auditor.get(list_of(LogIn)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_failed_log_ins_are_found_by_name_and_by_outcome(world: World, auditor: Client) -> None:
    for query in ({"q": "acme-admin"}, {"outcome__exact": "Failed"}):
        assert list(auditor.get(list_of(LogIn), query).context["cl"].result_list) == [world.log_in]
    assert "192.0.2.0/24" in auditor.get(page_of(world.log_in)).content.decode()


@pytest.mark.parametrize("role", ["auditor", APPROVER])
def test_auditors_and_approvers_find_both_pages_in_the_side_bar(role: str) -> None:
    assert {list_of(LogIn), CHANGES} <= links(staff(role))
    assert {list_of(LogIn), CHANGES} <= links(superuser())


@pytest.mark.parametrize("role", ["finance-operator", "platform-admin"])
def test_other_staff_neither_finds_nor_opens_them(role: str, world: World) -> None:
    client = staff(role)
    assert not {list_of(LogIn), CHANGES} & links(client)
    for address in (list_of(LogIn), page_of(world.log_in), CHANGES, f"{CHANGES}?person=acme-admin"):
        assert client.get(address).status_code == 403, address


def test_nobody_changes_or_deletes_what_was_recorded(world: World) -> None:
    for client in (staff("auditor"), superuser()):
        with nothing_changes():
            addresses = (list_of(LogIn), CHANGES, page_of(world.log_in), page_of(world.log_in, "delete"))
            for address in (*addresses, list_of(LogIn, "add")):
                assert client.post(address, {"name": "forged", "post": "yes"}).status_code in (403, 405), address
    world.log_in.refresh_from_db()
    assert world.log_in.name == "acme-admin"
