"""E-mail addresses: domains go out as IDNA 2008 has them, and what no mail reaches is refused when it is set."""

from dataclasses import replace

import pytest

from billing.models import BillingAccount, Notice
from billing.services.account_spec import AccountSpec
from billing.services.accounts import open_account
from billing.services.suspensions import suspend
from billing.tasks import deliver_notices
from milo import email_addresses
from milo.errors import Invalid, Refused
from projects.services.projects import ProjectSpec, create_project
from tests.acts.test_notices import Mailbox, mailbox
from tests.admin.browser import staff as logged_in
from tests.admin.browser import superuser
from tests.support import make
from tests.support.ledger import nothing_changes, refused
from tests.support.tamper import guards_off

__all__ = ["mailbox"]

pytestmark = [pytest.mark.django_db, pytest.mark.once]

SENT = {
    "rechnung@straße.example": "rechnung@xn--strae-oqa.example",
    "rechnung@STRASSE.example": "rechnung@STRASSE.example",
    "Rechnung@Bücher.example": "Rechnung@xn--bcher-kva.example",
    "a@faß.example": "a@xn--fa-hia.example",
    "a@βόλος.example": "a@xn--nxasmm1c.example",
    "a@xn--strae-oqa.example": "a@xn--strae-oqa.example",
    "a@r3--x.example": "a@r3--x.example",
    "a@例え。jp": "a@xn--r8jz45g.jp",
}
REFUSED = {
    "rechnüng@example.org": "may have ASCII letters only before the @: mail to others (SMTPUTF8) is not sent",
    "用户@example.org": "may have ASCII letters only before the @: mail to others (SMTPUTF8) is not sent",
    "a@☃.example": "has a domain that IDNA 2008 refuses: Codepoint U+2603 at position 1 not allowed",
    "a@xn--strasse-oqa.example": "has a domain that IDNA 2008 refuses",
    "a@ü..example": "has a domain that IDNA 2008 refuses: Empty Label",
    f"a@{'ü' * 64}.example": "has a domain that IDNA 2008 refuses: Label too long",
    f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 60}.example": "may have at most 254 characters",
    f"{'a' * 64}@{'.'.join(['äéöñüç' * 6] * 4)}.example": "may have at most 254 characters",
    "nobody": "is not an e-mail address",
    "a@ü": "is not an e-mail address",
    "a b@example.org": "is not an e-mail address",
    "a@example.org\nBcc: b@example.org": "is not an e-mail address",
}


def messages(refusal: pytest.ExceptionInfo[Refused]) -> dict[str, str]:
    return {cause.field: cause.message for cause in refusal.value.causes}


@pytest.mark.parametrize(("address", "sent"), SENT.items())
def test_mail_goes_to_the_domain_of_idna_2008(mailbox: Mailbox, address: str, sent: str) -> None:
    account = make.a_ready_account(make.an_organization(), "us", invoice_email_addresses=[address])
    suspend(account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    assert deliver_notices() == 1
    (message,) = mailbox.messages
    assert (message["To"], message["X-RcptTo"]) == (sent, sent)
    notice = Notice.objects.get()
    assert (notice.recipient, notice.phase) == (address, "Delivered")
    page = logged_in("finance-operator").get(f"/admin/billing/notice/{notice.pk}/change/").content.decode()
    assert (address in page, sent in page) == (True, True)


@pytest.mark.parametrize(("address", "why"), REFUSED.items())
def test_an_address_that_no_mail_reaches_is_refused_by_every_door(address: str, why: str) -> None:
    organization = make.an_organization()
    account = make.a_ready_account(organization, "us")
    spec = replace(AccountSpec.of(account), invoice_email_addresses=[address])
    with nothing_changes():
        with refused(Invalid) as refusal:
            create_project("new", organization.pk, ProjectSpec("", [address]), actor=make.PLATFORM)
        assert messages(refusal)["spec.contactEmailAddresses[0]"].startswith(why)
        with refused(Invalid) as refusal:
            open_account(organization.pk, "new", spec, actor=make.PLATFORM)
        assert messages(refusal)["spec.invoiceEmailAddresses[0]"].startswith(why)


def test_the_address_of_a_person_is_refused_likewise() -> None:
    person = make.a_person("approver", groups=("finance-approver",))
    browser, address = superuser(), f"/admin/auth/user/{person.pk}/change/"
    seen = browser.get(address).context["adminform"].form.initial["seen"]
    form = {"username": person.username, "is_active": "on", "seen": seen}
    for refused_address in ("a@☃.example", "rechnüng@example.org"):
        page = browser.post(address, {**form, "email": refused_address})
        assert page.status_code == 200
        assert page.context["adminform"].form.errors["email"]
    person.refresh_from_db()
    assert person.email not in ("a@☃.example", "rechnüng@example.org")
    page = browser.post(address, {**form, "email": "a@straße.example"})
    person.refresh_from_db()
    assert (page.status_code, person.email) == (302, "a@straße.example")


def test_a_notice_whose_address_was_taken_before_says_why_it_cannot_go_out(mailbox: Mailbox) -> None:
    account: BillingAccount = make.a_ready_account(
        make.an_organization(), "us", invoice_email_addresses=["a@example.org"]
    )
    suspend(account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    with guards_off():
        # as a version before took it
        Notice.objects.update(recipient="rechnüng@example.org")
    assert deliver_notices() == 0
    assert "SMTPUTF8" in Notice.objects.get().last_error
    assert mailbox.messages == []


def test_what_is_refused_needs_no_long_look() -> None:
    assert email_addresses.fault("a@" + "ü" * 1_000_000)
