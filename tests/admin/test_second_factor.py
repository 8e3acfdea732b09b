"""The second factor of the staff site: asked for, set up, guessed at, and reset by another person."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from billing.models import Hold
from milo import audit
from milo.errors import Forbidden, Invalid
from milo.identity.second_factor import reset
from tests.admin.browser import browser, page_of, superuser
from tests.admin.conftest import Life
from tests.support import make
from tests.support.ledger import SUMMARY, nothing_changes

pytestmark = pytest.mark.once

HOME, FACTOR, SESSIONS = "/admin/", "/admin/second-factor/", "/admin/sessions/"


def a_person(name: str, role: str, **user: Any) -> User:
    return make.a_person(name, groups=(role,), is_staff=True, email=f"{name}@acme-corp.example", **user)


@pytest.fixture
def approver(db: None) -> User:
    return a_person("approver", "finance-approver")


def password_of(key: str) -> str:
    return f"{totp(bytes.fromhex(key)):06d}"


def set_up(client: Client) -> TOTPDevice:
    """Scan the code and give the password that it shows; afterwards it may be used once more."""
    assert client.get(FACTOR).context["picture"].startswith("data:image/svg+xml")
    answer = client.post(FACTOR, {"password": password_of(client.session["milo_second_factor_key"])})
    assert answer.status_code == 302, answer.context["form"].errors
    TOTPDevice.objects.update(last_t=-1)
    return TOTPDevice.objects.latest("pk")


def is_asked(client: Client) -> bool:
    answer = client.get(HOME)
    return answer.status_code == 302 and answer.headers["Location"].startswith(FACTOR)


@pytest.mark.parametrize(
    ("all_staff", "approvers", "role", "asked"),
    [
        (False, False, "finance-approver", False),
        (False, True, "finance-approver", True),
        (False, True, "finance-operator", False),
        (True, False, "finance-operator", True),
        (True, False, "auditor", True),
    ],
)
def test_the_settings_say_who_is_asked(
    db: None, settings: Any, all_staff: bool, approvers: bool, role: str, asked: bool
) -> None:
    settings.MILO_SECOND_FACTOR_STAFF, settings.MILO_SECOND_FACTOR_APPROVERS = all_staff, approvers
    assert is_asked(browser(a_person("clerk", role))) is asked


def test_a_superuser_is_an_approver_too(db: None, settings: Any) -> None:
    settings.MILO_SECOND_FACTOR_APPROVERS = True
    assert is_asked(superuser())


def test_without_the_second_factor_no_page_opens_and_no_form_acts(life: Life, approver: User, settings: Any) -> None:
    settings.MILO_SECOND_FACTOR_APPROVERS = True
    client = browser(approver)
    with nothing_changes():
        for address in (HOME, page_of(life.request), page_of(life.request, "approve"), SESSIONS, page_of(life.hold)):
            for answer in (client.get(address), client.post(address, {"confirm": "1"})):
                assert answer.headers["Location"].startswith(FACTOR), address
    assert Hold.objects.exists()
    assert client.post("/admin/logout/").status_code == 200


def test_a_person_sets_an_authenticator_up_and_gets_where_they_were_going(approver: User, settings: Any) -> None:
    settings.MILO_SECOND_FACTOR_APPROVERS = True
    client = browser(approver)
    wanted = client.get(SESSIONS).headers["Location"]
    key_before = client.session.session_key
    client.get(wanted)
    answer = client.post(wanted, {"password": password_of(client.session["milo_second_factor_key"])})
    assert answer.headers["Location"] == SESSIONS
    assert client.get(SESSIONS).status_code == 200
    assert client.session.session_key != key_before
    assert TOTPDevice.objects.get().user == approver


def test_a_wrong_password_sets_nothing_up(approver: User, settings: Any) -> None:
    settings.MILO_SECOND_FACTOR_APPROVERS = True
    client = browser(approver)
    client.get(FACTOR)
    for wrong in ("", "12345", "abcdef", "0000000", "١٢٣٤٥٦"):
        assert client.post(FACTOR, {"password": wrong}).context["form"].errors
    assert not TOTPDevice.objects.exists()
    assert is_asked(client)


def test_each_log_in_is_asked_also_where_no_setting_says_so_and_other_sessions_end(approver: User) -> None:
    client, other = browser(approver), browser(approver)
    device = set_up(client)
    assert not is_asked(client)
    assert other.get(HOME).headers["Location"].startswith("/admin/login/")
    again = browser(approver)
    assert is_asked(again)
    assert b"data:image" not in again.get(FACTOR).content
    assert again.post(FACTOR, {"password": password_of(device.key)}).headers["Location"] == HOME
    assert not is_asked(again)


def test_a_password_is_taken_once(approver: User) -> None:
    device = set_up(browser(approver))
    first, second = browser(approver), browser(approver)
    password = password_of(device.key)
    assert first.post(FACTOR, {"password": password}).status_code == 302
    assert second.post(FACTOR, {"password": password}).status_code == 200
    assert is_asked(second)


def test_after_each_wrong_password_the_right_one_has_to_wait_longer_in_every_session(approver: User) -> None:
    device = set_up(browser(approver))
    guessing, other = browser(approver), browser(approver)
    wrong = f"{(int(password_of(device.key)) + 500_000) % 1_000_000:06d}"
    guessing.post(FACTOR, {"password": wrong})
    assert "Wait" in str(guessing.post(FACTOR, {"password": wrong}).context["form"].errors)
    for client in (guessing, other):
        client.post(FACTOR, {"password": password_of(device.key)})
        assert is_asked(client)
    waits = []
    for failures in (3, 6, 9):
        TOTPDevice.objects.update(throttling_failure_count=failures)
        page = guessing.post(FACTOR, {"password": password_of(device.key)})
        waits.append(int("".join(filter(str.isdigit, page.context["form"].errors["password"][0]))))
    assert waits == sorted(set(waits))
    assert waits[-1] > 200


def test_who_knows_the_log_in_password_alone_sets_up_no_second_authenticator(approver: User) -> None:
    set_up(browser(approver))
    thief = browser(approver)
    key = "00" * 20
    session = thief.session
    session["milo_second_factor_key"] = key
    session.save()
    thief.post(FACTOR, {"password": password_of(key)})
    assert TOTPDevice.objects.count() == 1
    assert is_asked(thief)


def test_the_keys_of_others_have_no_page(approver: User) -> None:
    device = set_up(browser(approver))
    root = superuser()
    assert root.get(f"/admin/otp_totp/totpdevice/{device.pk}/change/").status_code == 404
    assert device.key not in root.get(page_of(approver)).content.decode()


def test_no_address_elsewhere_is_led_to(approver: User) -> None:
    client = browser(approver)
    client.get(FACTOR)
    answer = client.post(
        f"{FACTOR}?next=https://elsewhere.example/",
        {"password": password_of(client.session["milo_second_factor_key"])},
    )
    assert answer.headers["Location"] == HOME


def test_a_superuser_resets_that_of_another_who_is_told_by_mail(approver: User, mailoutbox: list[Any]) -> None:
    client = browser(approver)
    set_up(client)
    root = browser(make.a_person("root", is_staff=True, is_superuser=True))
    address = f"{FACTOR}{approver.pk}/reset/"
    assert address in root.get(page_of(approver)).content.decode()
    assert root.post(address, {"why": " "}).status_code == 200
    assert TOTPDevice.objects.exists()
    assert root.post(address, {"why": "has lost it"}).status_code == 302
    assert not TOTPDevice.objects.exists()
    assert client.get(HOME).headers["Location"].startswith("/admin/login/")
    assert [mail.to for mail in mailoutbox] == [["approver@acme-corp.example"]]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(approver.pk), "SecondFactorReset: has lost it")
    past = audit.histories()[TOTPDevice].model_of(TOTPDevice)._base_manager.order_by("history_id")
    assert list(past.values_list("user_id", "history_user_id", SUMMARY)) == [
        (approver.pk, "user:approver", "SecondFactorSetUp"),
        (approver.pk, "user:root", "SecondFactorReset: has lost it"),
    ]


def test_nobody_resets_their_own_and_nobody_but_a_superuser_that_of_another(approver: User) -> None:
    root = make.a_person("root", is_staff=True, is_superuser=True)
    set_up(browser(root))
    verified = browser(root)
    verified.post(FACTOR, {"password": password_of(TOTPDevice.objects.get().key)})
    assert verified.post(f"{FACTOR}{root.pk}/reset/", {"why": "x"}).status_code == 403
    assert browser(approver).post(f"{FACTOR}{root.pk}/reset/", {"why": "x"}).status_code == 403
    for by in (root, approver):
        with pytest.raises(Forbidden):
            reset(root, why="x", by=by)
    assert TOTPDevice.objects.exists()


def test_the_command_resets_where_no_other_superuser_is(approver: User) -> None:
    set_up(browser(approver))
    with pytest.raises(CommandError, match="no user nobody"):
        call_command("second_factor", "reset", "nobody", "--reason", "x")
    with pytest.raises(Invalid):
        reset(approver, why=" ", by=None)
    call_command("second_factor", "reset", "approver", "--reason", "has lost it", stdout=StringIO())
    assert not TOTPDevice.objects.exists()
