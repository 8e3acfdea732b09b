"""`manage.py role`: grant, revoke and list, in the name of the shell."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from projects.models import Membership
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db


def test_a_role_is_granted_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    make.an_organization("acme-corp")
    person = make.a_person("clerk")
    call_command("role", "grant", "acme-corp", "clerk", "billing-user", reason="binds projects")
    call_command("role", "list", "acme-corp")
    granted, listed = capsys.readouterr().out.splitlines()
    assert granted == "clerk is billing-user of acme-corp"
    assert listed.split("\t")[:2] == ["clerk", "billing-user"]
    assert listed.endswith("system:shell")
    call_command("role", "revoke", "acme-corp", "clerk", "billing-user", reason="has left")
    assert capsys.readouterr().out == "clerk is no longer billing-user of acme-corp\n"
    assert not Membership.objects.filter(user=person).exists()
    assert Membership.history.latest("history_id").history_summary == "RoleRevoked: has left"


def test_the_last_billing_admin_stays_unless_said() -> None:
    make.a_person("chief", roles={make.an_organization("acme-corp"): "billing-admin"})
    revoking = ("role", "revoke", "acme-corp", "chief", "billing-admin")
    with nothing_changes(), pytest.raises(CommandError, match="last active billing-admin of acme-corp"):
        call_command(*revoking, reason="has left")
    call_command(*revoking, reason="has left", allow_no_billing_admin=True)
    assert not Membership.objects.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list", "nothing"), "there is no organization nothing"),
        (("grant", "acme-corp", "nobody", "billing-user"), "there is no active user nobody"),
        (("grant", "acme-corp", "nobody", "owner"), "invalid choice"),
        (("revoke", "acme-corp", "nobody", "billing-user"), "--reason"),
    ],
)
def test_what_it_does_not_know_is_said(words: tuple[str, ...], message: str) -> None:
    make.an_organization("acme-corp")
    with nothing_changes(), pytest.raises(CommandError, match=message):
        call_command("role", *words)
