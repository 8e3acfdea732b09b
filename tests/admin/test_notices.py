"""Notices: the text as it is sent, a receipt for each recipient, and another try for what is undeliverable."""

import html
import re

import pytest
from django.test import Client

from billing.models import Notice
from billing.services.notices.deliveries import message, message_id, text_of
from billing.services.suspensions import suspend
from tests.admin.browser import buttons, page_of, submit
from tests.admin.conftest import Life, World
from tests.admin.test_links import cells
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once


def undeliverable(notice: Notice) -> Notice:
    notice.phase, notice.attempts, notice.last_error = Notice.Phase.DEAD, 6, "550 no such mailbox"
    notice.save(update_fields=["phase", "attempts", "last_error"])
    return notice


def test_the_page_shows_the_text_as_it_is_sent(life: Life, operator: Client) -> None:
    page = operator.get(page_of(life.notice)).content.decode()
    mail = message(life.notice)
    for said in (str(mail.subject), *str(mail.body).splitlines(), message_id(life.notice)[1:-1], *mail.to):
        assert said in page


def test_the_page_shows_the_html_in_a_frame_that_may_do_nothing(world: World, operator: Client) -> None:
    suspend(world.us.pk, reason_code="ManualReview", message="<script>alert(1)</script>", actor=make.PLATFORM)
    notice = Notice.objects.get()
    page = operator.get(page_of(notice))
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    content = page.content.decode()
    assert "<script>alert" not in content
    [(permissions, source)] = re.findall(r'<iframe sandbox([^ >]*) srcdoc="([^"]*)"', content)
    assert permissions == ""
    shown = html.unescape(source)
    assert shown == text_of(notice).html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_account_and_project_show_a_receipt_for_each_recipient(world: World, operator: Client) -> None:
    project = make.a_project(world.organization, contact_email_addresses=["lake@acme-corp.example"])
    make.a_binding(project, world.us)
    suspend(world.us.pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
    undeliverable(Notice.objects.get(project=project))
    dead = ["lake@acme-corp.example", "Undeliverable", "6", "-", "550 no such mailbox"]
    assert [row[1:] for row in cells(operator, project, "Notices")] == [dead]
    assert sorted(row[1:] for row in cells(operator, world.us, "Notices")) == [
        ["invoices@acme-corp.example", "Pending", "0", "-", "-"],
        dead,
    ]


def test_an_undeliverable_notice_is_owed_again_by_a_button(life: Life, operator: Client) -> None:
    address = page_of(undeliverable(life.notice), "requeue")
    attention = {item.title: item for item in operator.get("/admin/").context["attention"]}["Undeliverable notices"]
    assert attention.count == operator.get(attention.address).context["cl"].result_count == 1
    assert address in buttons(operator.get(page_of(life.notice)))
    before = message_id(life.notice)
    assert submit(operator, address).headers["Location"] == page_of(life.notice)
    life.notice.refresh_from_db()
    assert (life.notice.phase, life.notice.attempts, message_id(life.notice)) == ("Pending", 0, before)


def test_one_that_is_still_owed_is_not_requeued(life: Life, operator: Client) -> None:
    address = page_of(life.notice, "requeue")
    assert address not in buttons(operator.get(page_of(life.notice)))
    with nothing_changes():
        page = operator.post(address)
    assert page.context["form"].errors["__all__"] == ["there is no such undeliverable notice"]


def test_who_only_reads_requeues_nothing(life: Life, auditor: Client, approver: Client) -> None:
    address = page_of(undeliverable(life.notice), "requeue")
    with nothing_changes():
        for client in (auditor, approver):
            assert buttons(client.get(page_of(life.notice))) == set()
            assert client.post(address).status_code == 403


def test_a_notice_has_no_history_to_show(life: Life, operator: Client) -> None:
    assert operator.get(page_of(life.notice, "history")).status_code == 404
    assert page_of(life.notice, "history") not in operator.get(page_of(life.notice)).content.decode()
