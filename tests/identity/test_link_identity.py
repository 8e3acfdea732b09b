"""Linking a subject of the provider to a user there is, by the service and by `manage.py identity`."""

from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from milo.errors import Forbidden, Invalid, NotFound
from milo.identity.actors import actor_of
from milo.identity.identities import link, person_of, unlink
from milo.identity.models import Identity
from projects.models import Membership
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.threads import at_once

ISSUER, WHY = "https://id.example", "HR-12"


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("identity", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_who_linked_and_unlinked_whom_and_why_stays_in_the_history() -> None:
    person, admin = make.a_person("operator"), make.an_actor(name="root", is_superuser=True)
    identity = link(person, ISSUER, "1234", why=WHY, actor=admin)
    assert link(person, ISSUER, "1234", why="again", actor=admin) == identity
    unlink(identity.pk, why="has left", actor=admin)
    assert not Identity.objects.exists()
    told = [(was.history_user_id, was.history_summary) for was in Identity.history.order_by("pk")]
    assert told == [("user:root", "IdentityLinked: HR-12"), ("user:root", "IdentityUnlinked: has left")]


@pytest.mark.django_db
def test_a_subject_stands_for_one_user() -> None:
    link(make.a_person("operator"), ISSUER, "1234", why=WHY, actor=make.PLATFORM)
    with nothing_changes(), pytest.raises(Invalid, match="stands for operator already"):
        link(make.a_person("other"), ISSUER, "1234", why=WHY, actor=make.PLATFORM)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("issuer", "subject", "why"), [(ISSUER, "1234", " "), (ISSUER, "", WHY), (ISSUER, "ö", WHY), ("", "1234", WHY)]
)
def test_what_is_missing_is_named(issuer: str, subject: str, why: str) -> None:
    with nothing_changes(), pytest.raises(Invalid):
        link(make.a_person(), issuer, subject, why=why, actor=make.PLATFORM)


@pytest.mark.django_db
@pytest.mark.parametrize("groups", [(), ("finance-operator",), ("auditor",), ("finance-approver",)])
def test_nobody_else_links_or_unlinks(groups: tuple[str, ...]) -> None:
    actor, identity = make.an_actor(groups=groups), link(make.a_person(), ISSUER, "1", why=WHY, actor=make.PLATFORM)
    with nothing_changes():
        with pytest.raises(Forbidden):
            link(make.a_person(), ISSUER, "1234", why=WHY, actor=actor)
        with pytest.raises(Forbidden):
            unlink(identity.pk, why=WHY, actor=actor)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "person", [{"is_superuser": True}, {"groups": ("finance-approver",)}, {"groups": ("auditor",)}]
)
def test_a_platform_admin_links_nobody_to_more_rights_than_they_have(person: dict[str, Any]) -> None:
    """By a subject of one's own one would become superuser, or approve one's own request."""
    mighty = make.a_person("mighty", **person)
    # all that a superuser holds makes no superuser
    roles = ("platform-admin", "finance-operator", "finance-approver", "auditor")
    admin = make.an_actor(groups=roles if person.get("is_superuser") else ("platform-admin",))
    identity = link(mighty, ISSUER, "1", why=WHY, actor=make.PLATFORM)
    with nothing_changes():
        with pytest.raises(Forbidden, match="mighty has more rights"):
            link(mighty, ISSUER, "1234", why=WHY, actor=admin)
        with pytest.raises(Forbidden, match="mighty has more rights"):
            unlink(identity.pk, why=WHY, actor=admin)
    link(make.a_person(), ISSUER, "1234", why=WHY, actor=admin)


@pytest.mark.django_db
@pytest.mark.parametrize("role", Membership.Role.values)
def test_a_platform_admin_links_nobody_to_a_role_in_an_organization_that_they_lack(role: str) -> None:
    organization = make.an_organization()
    member = make.a_person("member", roles={organization: role})
    admin = make.an_actor(groups=("platform-admin",), roles={make.an_organization(): role})
    identity = link(member, ISSUER, "1", why=WHY, actor=make.PLATFORM)
    with nothing_changes():
        with pytest.raises(Forbidden, match="member has more rights"):
            link(member, ISSUER, "1234", why=WHY, actor=admin)
        with pytest.raises(Forbidden, match="member has more rights"):
            unlink(identity.pk, why=WHY, actor=admin)
    same = make.an_actor(groups=("platform-admin",), roles={organization: role})
    assert link(member, ISSUER, "1234", why=WHY, actor=same).user == member
    assert link(member, ISSUER, "12345", why=WHY, actor=make.an_actor(is_superuser=True)).user == member


@pytest.mark.django_db
def test_an_identity_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        unlink(4711, why=WHY, actor=make.PLATFORM)


@pytest.mark.django_db
def test_the_command_links_lists_and_unlinks(settings: Any) -> None:
    settings.MILO_OIDC = {"issuer": ISSUER, "audience": "milo", "jwks_url": "https://id.example/keys"}
    make.a_person("operator")
    assert said("link", "operator", "1234", "--reason", WHY) == "1234 of https://id.example stands for operator\n"
    (line,) = said("list", "operator").splitlines()
    assert line.split("\t")[1:4] == ["operator", "1234", ISSUER]
    said("unlink", line.split("\t")[0], "--reason", "has left")
    assert said("list") == ""


@pytest.mark.django_db
def test_the_command_says_what_is_missing(settings: Any) -> None:
    make.a_person("operator")
    for arguments, told in (
        (("link", "nobody", "1234", "--reason", WHY), "no user nobody"),
        (("link", "operator", "1234", "--reason", WHY), "--issuer"),
        (("link", "operator", "1234", "--issuer", ISSUER, "--reason", " "), "reason"),
        (("unlink", "4711", "--reason", WHY), "no such identity"),
    ):
        with nothing_changes(), pytest.raises(CommandError, match=told):
            said(*arguments)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("second", [("1", "jane"), ("2", "jane"), ("2", "Jane ")])
def test_two_first_log_ins_at_once_make_one_person(second: tuple[str, str]) -> None:
    """Of two subjects with one name one is refused."""
    calls = [partial(person_of, ISSUER, subject, name) for subject, name in (("1", "jane"), second)]
    outcomes = at_once(calls)
    names = sorted(who.user.username if isinstance(who, Identity) else type(who).__name__ for who in outcomes)
    assert User.objects.filter(username__startswith="j").count() == 1
    assert names == (["jane", "jane"] if second[0] == "1" else ["AuthenticationFailed", "jane"])
    assert actor_of(User.objects.get(username__startswith="j")).roles == frozenset()
