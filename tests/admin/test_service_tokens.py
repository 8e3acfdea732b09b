"""Service tokens on the staff site: the secret is shown once, and a revoked token admits nobody."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from milo.identity.models import ServiceToken, ServiceUser, digest
from milo.identity.service_users import create_service_user
from milo.identity.tokens import token_of
from tests.admin.browser import browser, buttons, errors, filled_in, list_of, page_of, submit, superuser
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once

ISSUE, OWN = "/admin/identity/servicetoken/issue/", "/admin/own-token/"
CREATE = "/admin/identity/servicetoken/create-service-user/"


@pytest.fixture
def root(db: None) -> Client:
    return superuser()


def issued(world: World, root: Client, **answers: Any) -> Any:
    robot = ServiceUser.objects.first() or create_service_user("robot", actor=make.PLATFORM)
    return submit(root, ISSUE, user=robot.pk, **{"description": "deploys", **answers})


def test_the_secret_is_shown_once_and_admits_its_person(world: World, root: Client) -> None:
    page = issued(world, root)
    secret = page.context["secret"]
    assert secret in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    token = token_of(secret)
    assert token
    assert token.user.username == "robot"
    assert (token.description, token.scopes) == ("deploys", None)
    shown = [list_of(ServiceToken), page_of(token), page_of(token, "history")]
    shown.append(page_of(token, f"history/{token.history.latest().pk}"))
    for address in shown:
        again = root.get(address).content.decode()
        assert secret not in again
        assert digest(secret) not in again


def test_a_token_ends_at_the_instant_in_utc_that_was_typed(world: World, root: Client) -> None:
    day = (timezone.now() + timedelta(days=90)).date()
    issued(world, root, expires_at=f"{day}T12:30")
    end = datetime(day.year, day.month, day.day, 12, 30, tzinfo=UTC)
    assert ServiceToken.objects.get(description="deploys").expires_at == end


@pytest.mark.parametrize(("longest", "proposed"), [(365, 90), (0, 90), (30, 30)])
def test_a_new_token_is_proposed_an_end(world: World, root: Client, settings: Any, longest: int, proposed: int) -> None:
    settings.MILO_TOKEN_LONGEST_DAYS = longest
    end = datetime.fromisoformat(root.get(ISSUE).context["form"]["expires_at"].value()).replace(tzinfo=UTC)
    assert end - timezone.now() == pytest.approx(timedelta(days=proposed), abs=timedelta(minutes=2))


def test_an_end_in_the_past_is_refused_at_its_field(world: World, root: Client) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    page = issued(world, root, expires_at=yesterday.strftime("%Y-%m-%dT%H:%M"))
    assert list(errors(page)) == ["__all__", "expires_at"]
    assert not ServiceToken.objects.filter(description="deploys").exists()


def test_an_end_beyond_the_longest_lifetime_is_refused_at_its_field(world: World, root: Client, settings: Any) -> None:
    settings.MILO_TOKEN_LONGEST_DAYS = 30
    page = issued(world, root, expires_at=(timezone.now() + timedelta(days=31)).strftime("%Y-%m-%dT%H:%M"))
    assert "30 days" in str(errors(page)["expires_at"])
    assert not ServiceToken.objects.filter(description="deploys").exists()


def test_a_token_without_an_end_has_the_longest_lifetime(world: World, root: Client, settings: Any) -> None:
    settings.MILO_TOKEN_LONGEST_DAYS = 30
    issued(world, root, expires_at="")
    token = ServiceToken.objects.get(description="deploys")
    assert token.expires_at
    assert token.expires_at - token.created_at == pytest.approx(timedelta(days=30), abs=timedelta(seconds=5))


@pytest.mark.parametrize(
    ("answers", "scopes"),
    [
        ({}, None),
        ({"read_only": "on"}, []),
        ({"scopes": ["projects", "billingaccounts"]}, ["billingaccounts", "projects"]),
    ],
)
def test_a_token_is_bound_to_the_scopes_that_were_ticked(
    world: World, root: Client, answers: dict[str, Any], scopes: list[str] | None
) -> None:
    issued(world, root, **answers)
    token = ServiceToken.objects.get(description="deploys")
    assert token.scopes == scopes
    shown = root.get(page_of(token)).content.decode()
    assert (", ".join(scopes) if scopes else "reads" if scopes == [] else "all that its user may change") in shown


@pytest.mark.parametrize("answers", [{"scopes": ["everything"]}, {"read_only": "on", "scopes": ["projects"]}])
def test_scopes_that_make_no_sense_are_refused_at_their_field(
    world: World, root: Client, answers: dict[str, Any]
) -> None:
    assert "scopes" in errors(issued(world, root, **answers))
    assert not ServiceToken.objects.filter(description="deploys").exists()


def test_a_card_number_is_no_description(world: World, root: Client) -> None:
    page = issued(world, root, description="4111111111111111")
    assert "description" in errors(page)
    assert ServiceToken.objects.count() == 1


def test_a_revoked_token_admits_nobody_and_is_not_offered_again(world: World, root: Client) -> None:
    secret = issued(world, root).context["secret"]
    token = ServiceToken.objects.get(description="deploys")
    assert page_of(token, "revoke") in buttons(root.get(page_of(token)))
    submit(root, page_of(token, "revoke"))
    assert token_of(secret) is None
    assert buttons(root.get(page_of(token))) == set()


def test_the_staff_of_finance_neither_see_nor_issue_nor_revoke_tokens(world: World, operator: Client) -> None:
    for address in (list_of(ServiceToken), page_of(world.token), ISSUE, page_of(world.token, "revoke")):
        assert operator.get(address).status_code == 403
    assert operator.post(ISSUE, {"user": world.membership.user_id, "description": "x"}).status_code == 403
    assert operator.post(page_of(world.token, "revoke")).status_code == 403
    world.token.refresh_from_db()
    assert ServiceToken.objects.get() == world.token
    assert world.token.revoked_at is None


def test_an_auditor_reads_tokens_and_never_a_secret(world: World, root: Client, auditor: Client) -> None:
    secret = issued(world, root).context["secret"]
    token = ServiceToken.objects.get(description="deploys")
    for address in (list_of(ServiceToken), page_of(token), page_of(token, "history")):
        page = auditor.get(address)
        assert "deploys" in page.content.decode()
        assert [it for it in (secret, digest(secret)) if it in page.content.decode()] == []
    assert buttons(auditor.get(list_of(ServiceToken))) == {list_of(ServiceToken, "export")}
    assert buttons(auditor.get(page_of(token))) == set()
    exported: Any = auditor.post(list_of(ServiceToken, "export"), {"resource": "0", "format": "0"})
    table = b"".join(exported.streaming_content).decode()
    assert "deploys" in table
    assert digest(secret) not in table
    with nothing_changes():
        assert auditor.post(page_of(token, "revoke"), {"confirm": "1"}).status_code == 403
        assert auditor.post(ISSUE, {"user": token.user_id, "description": "x"}).status_code == 403


def test_everybody_on_the_staff_site_issues_tokens_for_themselves_alone(world: World) -> None:
    approver = make.a_person("approver", groups=("finance-approver",), is_staff=True)
    client = browser(approver)
    assert OWN in client.get("/admin/").content.decode()
    page = submit(client, OWN, description="my laptop")
    token = token_of(page.context["secret"])
    assert token
    assert token.user == approver
    for other in (world.membership.user, create_service_user("robot", actor=make.PLATFORM).user):
        with nothing_changes():
            refusal = client.post(OWN, {"user": other.pk, "description": "forged"})
        assert "user" in errors(refusal)
    assert client.get(page_of(token)).status_code == 403


def test_nobody_issues_a_token_for_another_person_by_a_forged_post(world: World, root: Client) -> None:
    with nothing_changes():
        page = root.post(ISSUE, {"user": world.membership.user_id, "description": "forged"})
    assert "user" in errors(page)


def test_a_service_user_is_made_without_a_password(world: World, root: Client) -> None:
    assert submit(root, CREATE, username="robot", description="reports").status_code == 302
    assert not ServiceUser.objects.get().user.has_usable_password()
    assert "username" in errors(submit(root, CREATE, username="no name", description="reports"))


def test_a_double_click_tells_that_the_secret_is_gone_where_the_person_may_be(
    world: World, root: Client, operator: Client
) -> None:
    for client, address, origin in ((root, ISSUE, list_of(ServiceToken)), (operator, OWN, "/admin/")):
        page = client.get(address)
        sent = filled_in(page, description="twice", opened=page.context["opened"])
        assert "secret" in client.post(address, sent).context
        with nothing_changes():
            again = client.post(address, sent, follow=True)
        assert (again.redirect_chain, again.status_code) == ([(origin, 302)], 200)
        assert "a token was issued. Its secret was shown once only" in again.content.decode()
    assert ServiceToken.objects.filter(description="twice").count() == 2
