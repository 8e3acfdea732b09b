"""`manage.py token`: issue, list, revoke."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command

from milo.identity.models import ServiceToken
from tests.api.client import ORGANIZATIONS, Api

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("token", *arguments, stdout=out)
    return out.getvalue()


def test_a_token_is_issued_listed_without_its_secret_and_revoked_at_once() -> None:
    said("service-user", "robot")
    User.objects.get().groups.add(Group.objects.get(name="auditor"))
    secret = said("issue", "robot", "--description", "nightly report", "--days", "30").strip()
    client = Api(secret)
    client.get(ORGANIZATIONS).done()
    listed = said("list", "robot")
    assert secret not in listed
    assert "nightly report" in listed
    token = ServiceToken.objects.get()
    assert listed.startswith(str(token.pk))
    assert token.expires_at is not None
    said("revoke", str(token.pk))
    client.get(ORGANIZATIONS).refused(401, "Unauthorized")
    assert "revoked" in said("list")


def test_no_token_admits_for_longer_than_the_longest_lifetime(settings: Any) -> None:
    settings.MILO_TOKEN_LONGEST_DAYS = 30
    said("service-user", "robot")
    with pytest.raises(CommandError, match="30 days"):
        said("issue", "robot", "--days", "31")
    assert not ServiceToken.objects.exists()
    said("issue", "robot", "--days", "30")
    said("issue", "robot")
    for token in ServiceToken.objects.all():
        assert token.expires_at
        assert token.expires_at - token.created_at == pytest.approx(timedelta(days=30), abs=timedelta(seconds=5))


def test_an_installation_may_set_no_longest_lifetime(settings: Any) -> None:
    settings.MILO_TOKEN_LONGEST_DAYS = 0
    said("service-user", "robot")
    said("issue", "robot")
    assert ServiceToken.objects.get().expires_at is None


def test_what_does_not_exist_is_said_in_a_line() -> None:
    with pytest.raises(CommandError, match="there is no user nobody"):
        said("issue", "nobody")
    with pytest.raises(CommandError, match="no such token"):
        said("revoke", "4711")
    said("service-user", "robot")
    with pytest.raises(CommandError):
        said("issue", "robot", "--days", "-1")
    assert not ServiceToken.objects.exists()
