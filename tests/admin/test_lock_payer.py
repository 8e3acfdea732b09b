"""Locking the payer on the page of a project: a reason, a badge, and what is refused until it is unlocked."""

import pytest
from django.test import Client

from billing.models import PayerLock
from projects.models import Project
from tests.admin.browser import buttons, errors, list_of, page_of, staff, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes

pytestmark = pytest.mark.once


def lock(client: Client, world: World, reason: str = "regulated workload") -> None:
    answer = submit(client, page_of(world.project, "lock-payer"), reason=reason)
    assert answer.headers["Location"] == page_of(world.project)


def test_the_button_locks_with_a_reason_and_the_page_says_so(world: World, operator: Client) -> None:
    lock(operator, world)
    row = PayerLock.objects.get()
    assert (row.project, row.reason, row.locked_by) == (world.project, "regulated workload", "user:operator")
    assert authors(row) == {"user:operator"}
    page = operator.get(page_of(world.project))
    assert "by operator (regulated workload): unlock it first" in page.content.decode()
    assert page_of(world.project, "unlock-payer") in buttons(page)
    assert page_of(world.project, "lock-payer") not in buttons(page)


def test_a_lock_without_a_reason_is_refused(world: World, operator: Client) -> None:
    with nothing_changes():
        assert list(errors(submit(operator, page_of(world.project, "lock-payer"), reason=" "))) == ["reason"]


def test_a_bind_and_an_archiving_say_that_the_payer_is_locked(world: World, operator: Client) -> None:
    lock(operator, world)
    account = make.a_ready_account(world.organization)
    with nothing_changes():
        for act, typed in (("bind", {"account": account.pk, "reason": "the department moves"}), ("archive", {})):
            address = page_of(world.project, act)
            assert "unlock it first" in dict(operator.get(address).context["facts"])["Payer lock"]
            assert "unlock it first" in str(errors(submit(operator, address, **typed)))


def test_unlocking_keeps_the_lock_in_a_panel_of_the_page(world: World, operator: Client) -> None:
    lock(operator, world)
    submit(operator, page_of(world.project, "unlock-payer"), reason="agreed with the auditors")
    page = operator.get(page_of(world.project))
    assert "agreed with the auditors" in page.content.decode()
    assert page_of(world.project, "lock-payer") in buttons(page)
    assert operator.get(page_of(world.project, "bind")).context["facts"]
    assert not PayerLock.objects.open().exists()


def test_the_list_shows_and_filters_locked_projects(world: World, operator: Client) -> None:
    other = make.a_project(world.organization)
    make.a_binding(other, world.us)
    lock(operator, world)
    shown = operator.get(list_of(Project), {"payer": "locked"})
    assert [row.name for row in shown.context["cl"].result_list] == ["webapp-frontend"]
    assert "Locked" in shown.content.decode()


def test_a_project_without_a_payer_offers_no_lock(world: World, operator: Client) -> None:
    unbound = make.a_project(world.organization)
    assert page_of(unbound, "lock-payer") not in buttons(operator.get(page_of(unbound)))
    with nothing_changes():
        answer = errors(submit(operator, page_of(unbound, "lock-payer"), reason="regulated workload"))
    assert "nobody pays for project" in str(answer)


def test_who_only_reads_sees_the_lock_and_no_button(world: World, operator: Client) -> None:
    lock(operator, world)
    auditor = staff("auditor")
    page = auditor.get(page_of(world.project))
    assert "regulated workload" in page.content.decode()
    assert buttons(page) == set()
    with nothing_changes():
        assert auditor.post(page_of(world.project, "unlock-payer"), {"reason": "x"}).status_code == 403
