"""Logging in to the staff site: who guesses passwords is stopped, and keeps nobody else out."""

from datetime import timedelta
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from milo.settings import AXES_COOLOFF_TIME, AXES_FAILURE_LIMIT
from tests.admin.browser import staff
from tests.support import make

pytestmark = pytest.mark.once

PASSWORD = "correct horse battery"


@pytest.fixture
def operator(db: None) -> User:
    return make.a_person("operator", groups=("finance-operator",), is_staff=True)


def log_in(name: str, password: str, *, address: str = "192.0.2.1", language: str = "en") -> Any:
    typed = {"username": name, "password": password, "next": reverse("admin:index")}
    return Client(headers={"accept-language": language}).post(reverse("admin:login"), typed, REMOTE_ADDR=address)


def guess(times: int = AXES_FAILURE_LIMIT, **where: Any) -> None:
    for _ in range(times):
        log_in("operator", "guess", **where)


def test_the_right_password_opens_the_site(operator: User) -> None:
    answer = log_in("operator", PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))


def test_who_has_no_role_on_the_site_is_told_so(db: None) -> None:
    client = staff(name="newcomer")
    page = client.get(reverse("admin:index"), follow=True).content.decode()
    assert "You are logged in as newcomer, who has no role on this site." in page
    assert "no role" not in Client().get(reverse("admin:login")).content.decode()


def test_a_wrong_password_is_told_and_may_be_corrected(operator: User) -> None:
    wrong = log_in("operator", "guess")
    assert wrong.status_code == 200
    assert "correct username and password" in wrong.content.decode()
    assert log_in("operator", PASSWORD).status_code == 302


def test_after_too_many_wrong_passwords_the_right_one_is_refused_too_and_the_page_says_for_how_long(
    operator: User,
) -> None:
    guess()
    answer = log_in("operator", PASSWORD)
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    assert "for 15 minutes" in answer.content.decode()
    assert "sessionid" not in answer.cookies


def test_the_page_speaks_the_language_of_the_browser(operator: User) -> None:
    guess()
    assert "15 Minuten" in log_in("operator", PASSWORD, language="de").content.decode()


def test_who_guesses_keeps_neither_the_person_elsewhere_out_nor_another_person_here(operator: User) -> None:
    make.a_person("approver", groups=("finance-approver",), is_staff=True)
    guess()
    assert log_in("operator", PASSWORD, address="192.0.2.2").status_code == 302
    assert log_in("approver", PASSWORD).status_code == 302


def test_an_address_that_a_client_claims_is_not_believed(operator: User) -> None:
    for attempt in range(AXES_FAILURE_LIMIT):
        typed = {"username": "operator", "password": "guess"}
        Client(headers={"x-forwarded-for": f"198.51.100.{attempt}"}).post(reverse("admin:login"), typed)
    assert log_in("operator", PASSWORD, address="127.0.0.1").status_code == 429


def test_the_wait_ends_though_somebody_goes_on_guessing(operator: User) -> None:
    guess()
    AccessAttempt.objects.update(attempt_time=timezone.now() - AXES_COOLOFF_TIME + timedelta(seconds=10))
    guess()
    assert log_in("operator", PASSWORD).status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(seconds=11))
    assert log_in("operator", PASSWORD).status_code == 302


def test_who_looks_after_the_site_lets_a_person_in_again(operator: User) -> None:
    guess()
    call_command("axes_reset_username", "operator", stdout=StringIO())
    assert log_in("operator", PASSWORD).status_code == 302


def test_a_success_forgets_the_failures_before(operator: User) -> None:
    guess(AXES_FAILURE_LIMIT - 1)
    assert log_in("operator", PASSWORD).status_code == 302
    guess(AXES_FAILURE_LIMIT - 1)
    assert log_in("operator", PASSWORD).status_code == 302


def test_what_was_typed_is_not_kept_unless_it_is_the_name_of_a_person(operator: User) -> None:
    log_in("4111 1111 1111 1111", "hunter2")
    log_in("operator", "hunter2")
    names = set(AccessAttempt.objects.values_list("username", flat=True))
    assert names == {"", "operator"}
    kept = repr(list(AccessAttempt.objects.values()))
    assert "4111" not in kept
    assert "hunter2" not in kept


def test_a_failure_keeps_neither_browser_nor_path_nor_parameters(
    operator: User, caplog: pytest.LogCaptureFixture
) -> None:
    """With values planted wherever a client can put some; the second failure goes into the row of the first."""
    for times in (1, 2):
        planted = Client(headers={"user-agent": f"planted-{times}", "accept": "text/planted"})
        typed = {"username": "operator", "password": "planted", "next": "/planted", "planted": "4111111111111111"}
        answer = planted.post(f"{reverse('admin:login')}?planted=4111111111111111", typed)
        assert answer.status_code == 200
        assert answer.context["form"].data["planted"] == "4111111111111111"
        attempt = AccessAttempt.objects.get()
        assert (attempt.username, attempt.ip_address, attempt.failures_since_start) == ("operator", "127.0.0.1", times)
        kept = (attempt.user_agent, attempt.path_info, attempt.http_accept, attempt.get_data, attempt.post_data)
        assert [text.replace("-", "").strip() for text in kept] == [""] * 5
    assert "planted" not in caplog.text


def test_a_name_that_no_database_keeps_is_refused_as_any_other(operator: User) -> None:
    assert log_in("oper\x00ator", PASSWORD).status_code == 200


def test_an_upgrade_forgets_what_earlier_versions_kept_of_failures(db: None) -> None:
    sent = {"user_agent": "4111111111111111", "http_accept": "a", "path_info": "a", "username": "operator"}
    AccessAttempt.objects.create(**sent, get_data="a", post_data="a", failures_since_start=1)
    AccessLog.objects.create(**sent)
    migration = import_module("milo.identity.migrations.0006_forget_failed_log_ins")
    migration.forget(apps, SimpleNamespace(connection=connection))
    assert not AccessAttempt.objects.exists()
    assert not AccessLog.objects.exists()
