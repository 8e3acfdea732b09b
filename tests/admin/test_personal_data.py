"""Personal data on the staff site: no page shows an auditor any until it is revealed, which is recorded and sealed."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from billing.compliance.einvoicing import EInvoicing
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount, Notice
from billing.services.accounts import AccountSpec, revise
from billing.services.suspensions import resolve, suspend
from milo import verify
from milo.admin.personal import REVEALED, REVEALED_FOR_SECONDS
from milo.admin.read_only import ReadOnlyAdmin
from milo.columns import Columns
from milo.identity.actors import actor_of
from milo.identity.models import LogIn
from milo.kube.kinds import kind_of
from milo.kube.metadata import Metadata
from milo.kube.watch.watching import renderer
from milo.kube.wire.negotiation import Answer as Form
from milo.ledger.seals import seal
from milo.ledger.tables import all_tables
from projects.services.memberships import grant
from projects.services.projects import ProjectSpec, revise_project
from tests.admin.browser import browser, every_page, list_of, page_of, staff
from tests.admin.conftest import Life, World
from tests.api.client import Api
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.payer_changes import Travel, travel

pytestmark = pytest.mark.once

MAIL, TAX, PEPPOL, OLD_MAIL = "books@acme-corp.example", "DE136695976", "9930:de136695976", "old@acme-corp.example"
CONTACT = "ops@acme-corp.example"
PERSONAL = (MAIL, TAX, PEPPOL, OLD_MAIL, CONTACT, "invoices@acme-corp.example", "person@acme-corp.example")
WHY = "sample of quarter 4"

__all__ = ["travel"]


def content(answer: Any) -> str:
    body: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode()


def leaked(text: str) -> list[str]:
    return [value for value in PERSONAL if any(it in text for it in (value, escape(value), value.replace("@", "%40")))]


@pytest.fixture
def everything(world: World, life: Life) -> BillingAccount:
    """An account whose personal data stand in its row, its history, an annotation, notices, and a review."""
    for mail in (OLD_MAIL, MAIL):
        preferences = Preferences(
            country="DE",
            tax_registrations=(TaxRegistration("DE", TAX),),
            e_invoicing=EInvoicing("PEPPOL_BIS3", peppol_participant_id=PEPPOL),
        )
        spec = replace(AccountSpec.of(world.eu), invoice_email_addresses=[mail], preferences=preferences)
        applied = {"spec": {"invoiceEmailAddresses": [mail], "preferences": preferences.as_json()}}
        metadata = Metadata(annotations={"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied)})
        revise(world.eu.pk, spec, metadata, actor=make.PLATFORM)
    revise_project(world.project.pk, ProjectSpec("Web shop", [CONTACT]), actor=make.PLATFORM)
    world.eu.refresh_from_db()
    make.in_phase(world.eu, "Suspended")
    make.a_request(world.eu, proposal={"paymentTerms": make.LONG_TERMS["paymentTerms"] | {"netDays": 45}})
    make.a_person("person", email="person@acme-corp.example", is_staff=True)
    return world.eu


@pytest.mark.django_db
@pytest.mark.once
def test_ones_own_address_is_shown() -> None:
    own = "auditor@milo.example"
    assert own in content(staff("auditor", name="auditor", email=own).get("/admin/"))


def test_no_page_shows_an_auditor_personal_data(everything: BillingAccount, auditor: Client) -> None:
    pages = set(every_page())
    for model, model_admin in admin.site._registry.items():
        if isinstance(model_admin, ReadOnlyAdmin):
            for row in model._default_manager.all():
                pages |= {page_of(row), *([page_of(row, "history")] if model_admin.show_history else [])}
    pages |= {f"{page_of(everything)}?tab={tab}" for tab in ("notices", "compliance", "suspensions", "closing")}
    pages |= {f"{page_of(everything, 'timeline')}?csv=1", page_of(everything, "timeline")}
    answers = {page: content(auditor.get(page)) for page in sorted(pages)}
    assert {page: leaked(text) for page, text in answers.items() if leaked(text)} == {}
    assert "•••" in answers[page_of(everything)]
    assert "Personal data are masked" in answers[page_of(everything)]


def test_no_file_has_personal_data_for_an_auditor(everything: BillingAccount, auditor: Client) -> None:
    request = auditor.get("/admin/").wsgi_request
    masked = 0
    for model, model_admin in admin.site._registry.items():
        if isinstance(model_admin, ReadOnlyAdmin) and model_admin.has_view_permission(request):
            page = list_of(model, "export")
            assert leaked(content(auditor.post(page, {"resource": "0", "format": "0"}))) == [], model
            sheet = texts_of(auditor.post(page, {"resource": "0", "format": "1"}))
            assert leaked("\n".join(sheet)) == [], model
            assert [text for text in sheet if text.startswith(("=", "+", "@"))] == [], model
            masked += sum("•••" in text for text in sheet)
    assert masked


def texts_of(answer: Any) -> list[str]:
    """Every text in a workbook, wherever it stands: cells, names of sheets, properties; none of them is a formula."""
    with ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as book:
        parts = [ElementTree.fromstring(book.read(name)) for name in book.namelist() if name.endswith(".xml")]
    elements = [element for part in parts for element in part.iter()]
    assert not [element for element in elements if element.tag.endswith("}f")]
    return [element.text for element in elements if element.text]


def test_what_somebody_else_searched_for_is_masked_where_the_export_is_recorded(
    everything: BillingAccount, operator: Client, auditor: Client
) -> None:
    for client, name in ((operator, "operator"), (auditor, "auditor")):
        address = f"{list_of(BillingAccount, 'export')}?{urlencode({'q': f'{TAX} of {name}', 'phase__exact': 'Ready'})}"
        assert client.post(address, {"resource": "0", "format": "0"}).status_code == 200
    report = content(auditor.get("/admin/identity/login/exports/"))
    assert f"{TAX} of operator" not in report
    assert f"{TAX} of auditor" in report
    assert "•••" in report


def test_a_sheet_has_the_personal_data_for_who_works_with_them(
    everything: BillingAccount, operator: Client, approver: Client
) -> None:
    for client in (operator, approver):
        sheet = texts_of(client.post(list_of(Notice, "export"), {"resource": "0", "format": "1"}))
        assert MAIL in sheet


def test_who_works_with_them_sees_them_at_once(everything: BillingAccount, operator: Client, approver: Client) -> None:
    for client in (operator, approver):
        page = content(client.get(page_of(everything)))
        assert {MAIL, TAX} <= set(leaked(page))
        assert "Reveal" not in page
        with nothing_changes():
            assert reveal(client, page_of(everything)).status_code == 403


def reveal(client: Client, page: str, reason: str = WHY) -> Any:
    return client.post("/admin/reveal/", {"page": page, "reason": reason})


def test_what_is_revealed_is_recorded_and_hidden_again(
    everything: BillingAccount, auditor: Client, travel: Travel
) -> None:
    page = page_of(everything)
    assert reveal(auditor, page).headers["Location"] == page
    assert not LogEntry.objects.exists()
    assert {MAIL, TAX, PEPPOL} <= set(leaked(content(auditor.get(page))))
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.action_flag, entry.object_id) == ("auditor", REVEALED, str(everything.pk))
    assert entry.content_type == ContentType.objects.get_for_model(BillingAccount)
    what = "billingaccount.e_invoicing, billingaccount.invoice_email_addresses, billingaccount.tax_registrations"
    assert entry.change_message == f"PersonalDataRevealed: {what}; {WHY}"
    assert leaked(content(auditor.get(page_of(everything, "history")))) == []
    assert leaked(content(staff("auditor", name="colleague").get(page))) == []
    travel(timedelta(seconds=REVEALED_FOR_SECONDS + 1))
    assert leaked(content(auditor.get(page))) == []
    assert LogEntry.objects.count() == 1
    report = content(auditor.get("/admin/identity/login/exports/"))
    assert WHY in report


def test_a_file_is_revealed_by_its_page(everything: BillingAccount, auditor: Client) -> None:
    page = list_of(Notice, "export")
    assert "Personal data are masked in the file" in content(auditor.get(page))
    reveal(auditor, page)
    answer = auditor.post(page, {"resource": "0", "format": "0"})
    assert MAIL in content(answer)
    assert "notice.recipient" in LogEntry.objects.latest("pk").change_message


@pytest.mark.parametrize("page", ["https://elsewhere.example/", "//elsewhere.example/", "/apis/", ""])
def test_revealing_leads_nowhere_else(page: str, world: World, auditor: Client) -> None:
    with nothing_changes():
        assert reveal(auditor, page).status_code == 400


def test_revealing_needs_a_reason(world: World, auditor: Client) -> None:
    with nothing_changes():
        for reason in (" ", "\u200b\u202e"):
            assert reveal(auditor, page_of(world.us), reason).status_code == 400


def test_nothing_is_found_by_a_part_of_what_is_masked_and_the_whole_is_recorded(
    everything: BillingAccount, auditor: Client, operator: Client
) -> None:
    notice = Notice.objects.filter(recipient=MAIL).first()
    assert notice
    parts = {BillingAccount: (TAX[:-1], TAX[2:], "books@", PEPPOL[:-1]), Notice: ("books@",), User: ("person@milo",)}
    for model, guesses in parts.items():
        for guess in guesses:
            assert list(auditor.get(list_of(model), {"q": guess}).context["cl"].result_list) == [], guess
            assert "acme-eu" not in content(auditor.get("/admin/search/", {"s": guess, "extended": "1"}))
            if model is not User:
                exported = auditor.post(f"{list_of(model, 'export')}?q={guess}", {"resource": "0", "format": "0"})
                assert len(content(exported).splitlines()) == 1
    assert not LogEntry.objects.filter(action_flag=REVEALED).exists()
    for search in (TAX.lower(), "DE 136-695-976", MAIL, PEPPOL):
        found = auditor.get(list_of(BillingAccount), {"q": search}).context["cl"].result_list
        assert [row.name for row in found] == ["acme-eu"], search
        entry = LogEntry.objects.filter(action_flag=REVEALED).latest("pk")
        assert entry.change_message.startswith("PersonalDataSearched: billingaccount."), search
        assert entry.change_message.endswith(f"q={search}")
    assert [row.name for row in operator.get(list_of(BillingAccount), {"q": TAX[4:]}).context["cl"].result_list] == [
        "acme-eu"
    ]
    recorded = LogEntry.objects.filter(action_flag=REVEALED).count()
    # what an address says is confirmed by the page that shows it
    assert TAX in content(auditor.get(f"{page_of(everything)}?x={TAX}"))
    assert MAIL in content(auditor.get(list_of(Notice), {"q": MAIL}))
    assert LogEntry.objects.filter(action_flag=REVEALED).count() == recorded + 2
    assert LogEntry.objects.filter(user__username="operator", action_flag=REVEALED).count() == 0
    # names and payment references stay found by their parts
    assert auditor.get(list_of(BillingAccount), {"q": "acme-e"}).context["cl"].result_list


def test_the_api_masks_for_whoever_reads_masks_on_the_staff_site(everything: BillingAccount, subtests: Any) -> None:
    person = make.a_person("reader", groups=("auditor",))
    api, works = Api.of(person), Api.of(make.a_person("worker", groups=("finance-operator",)))
    namespaced = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp"
    one = f"{namespaced}/billingaccounts/{everything.name}"
    addresses = [
        *(f"{namespaced}/{plural}" for plural in ("billingaccounts", "billingaccountbindings", "approvalrequests")),
        "/apis/billing.milo.io/v1alpha1/billingaccounts",
        "/apis/resources.milo.io/v1alpha1/projects",
        "/apis/resources.milo.io/v1alpha1/projects/webapp-frontend",
        "/api/v1/events",
        one,
        *(f"{one}/{part}" for part in ("history", "closurechecklist", "suspensions", "hierarchy")),
    ]
    seen = set()
    for address in addresses:
        for accept in ("application/json", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io"):
            with subtests.test(f"{address} {accept}"):
                answer, whole = (it.get(address, Accept=accept).response for it in (api, works))
                assert answer.status_code == whole.status_code == 200
                assert leaked(answer.content.decode()) == []
                seen |= set(leaked(whole.content.decode()))
    assert {MAIL, TAX, PEPPOL, CONTACT} <= seen
    assert leaked(api.get(f"{one}/history", Accept="text/csv").raw.decode()) == []
    assert TAX in works.get(f"{one}/history", Accept="text/csv").raw.decode()
    spec = api.get(one).done()["spec"]
    assert spec["invoiceEmailAddresses"] == ["•••"]
    assert spec["preferences"]["taxRegistrations"] == [{"country": "DE", "number": "•••"}]
    # a watch sends each event by this
    manifest, kind = works.get(one).done(), kind_of(BillingAccount)
    assert kind
    sent = {hides: renderer(kind, Form(hides=hides), "Metadata")(manifest, True) for hides in (True, False)}
    assert leaked(json.dumps(sent[True])) == []
    assert TAX in json.dumps(sent[False])
    # whoever writes an organization's objects reads them as they are
    grant(everything.organization, person, "billing-admin", actor=make.PLATFORM)
    assert TAX in Api.of(person).get(one).raw.decode()
    assert leaked(Api.of(person).get("/apis/billing.milo.io/v1alpha1/billingaccounts").raw.decode()) == []


def test_what_a_body_says_is_never_recorded(auditor: Client) -> None:
    address, secret = "anna@example.com", "Anna-secret-7731"
    anna = make.a_person(address, groups=("auditor",), is_staff=True, email=address)
    anna.set_password(secret)
    anna.save()
    login = {"username": address, "password": secret, "next": "/admin/", "csrfmiddlewaretoken": "t0ken-of-the-form"}
    for client in (auditor, Client()):
        assert client.post("/admin/login/?next=/admin/", {**login, "password": "wrong-one-81"}).status_code == 200
        assert client.post("/admin/login/?next=/admin/", login).status_code == 302
    recorded = list(LogEntry.objects.values_list("change_message", flat=True))
    assert recorded == []
    # of a query only what was confirmed
    berta, mail = make.a_person("berta", is_staff=True, email="berta@mail.example"), "berta@mail.example"
    staff("auditor", name="other").get(page_of(berta), {"x": mail, "token": secret})
    assert LogEntry.objects.latest("pk").change_message == f"PersonalDataSearched: user.email; q={mail}"


def test_user_names_stay_legible_though_they_are_addresses(world: World, auditor: Client, subtests: Any) -> None:
    """Who did something is what an audit is about; an address that is no user name stays masked."""
    name, mail = "anna@example.com", "anna.private@example.org"
    anna = make.a_person(name, groups=("finance-operator",), is_staff=True, email=name)
    other = make.a_person("otto@example.com", is_staff=True, email=mail)
    LogIn.objects.create(name=name, outcome=LogIn.Outcome.FAILED, address="192.0.2.0/24")
    spec = replace(AccountSpec.of(world.us), invoice_email_addresses=[mail])
    revise(world.us.pk, spec, Metadata(), actor=actor_of(anna))
    browser(anna).post(list_of(BillingAccount, "export"), {"resource": "0", "format": "0"})
    reports = "/admin/identity/login"
    for page in (
        list_of(User),
        page_of(anna),
        list_of(LogIn),
        f"{reports}/people-changes/",
        f"{reports}/people-changes/?person={name}",
        f"{reports}/exports/",
        f"{reports}/ledger/",
        page_of(world.us, "history"),
        page_of(world.us, "timeline"),
    ):
        with subtests.test(page):
            shown = content(auditor.get(page))
            assert name in shown
            assert mail not in shown
    shown = content(auditor.get(page_of(other)))
    assert ("otto@example.com" in shown, mail in shown) == (True, False)
    history = f"/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts/{world.us.name}/history"
    read = Api.of(make.a_person("reader", groups=("auditor",))).get(history).raw.decode()
    assert (f"user:{name}" in read, mail in read) == (True, False)


def test_what_was_searched_for_is_masked_to_its_end(world: World, auditor: Client, operator: Client) -> None:
    other = User.objects.get(username="operator")
    operator.post(
        f"{list_of(BillingAccount, 'export')}?{urlencode({'q': 'Kaufmann & Sohn'})}", {"resource": 0, "format": 0}
    )
    LogEntry.objects.create(
        user=other, action_flag=REVEALED, change_message="PersonalDataSearched: a.b; q=Roth & Weiss"
    )
    report = content(auditor.get("/admin/identity/login/exports/"))
    assert not [name for name in ("Kaufmann", "Sohn", "Roth", "Weiss") if name in report]


def test_the_tax_number_and_the_address_of_a_payer_are_masked_inside_of_the_payment_profile(
    world: World, auditor: Client, operator: Client, tmp_path: Path
) -> None:
    number, street = "390.533.447-05", "Rua das Flores 77, Olinda"
    profile = {"boleto": {"boletoReference": "ref-1", "payerTaxId": number, "payerAddress": street}}
    account = make.a_ready_account(world.organization, currency_code="BRL", payment_profile=profile)
    later = replace(
        AccountSpec.of(account), payment_profile={"boleto": profile["boleto"] | {"boletoReference": "ref-2-b"}}
    )
    revise(account.pk, later, Metadata(), actor=make.PLATFORM)
    suspend(account.pk, reason_code="TaxRegistrationInvalid", message="The number is invalid", actor=make.PLATFORM)
    suspension = account.suspensions.get()
    evidence = {"taxRegistrationNumber": "SIREN 732 829 320", "registryCheckReference": "vies-1"}
    resolve(account.pk, suspension.uid, evidence=evidence, actor=make.PLATFORM)
    make.a_request(account)
    seal()
    hidden = (number, street, "732 829 320")
    page, ledger = page_of(account), "/admin/identity/login/ledger/"
    asked = (suspension, *account.approval_requests.all())
    for address in (
        page,
        page_of(account, "history"),
        page_of(account, "timeline"),
        f"{page_of(account, 'timeline')}?csv=1",
        *(page_of(account, f"history/{row.pk}") for row in account.history.all()),
        *(page_of(row, kind) for row in asked for kind in ("change", "history")),
        ledger,
    ):
        shown = content(auditor.get(address))
        assert [value for value in hidden if value in shown] == [], address
    assert {number, street} <= {value for value in hidden if value in content(operator.get(page))}
    api = Api.of(make.a_person("reader", groups=("auditor",)))
    one = f"/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts/{account.name}"
    for address in (one, f"{one}/history", f"{one}/suspensions"):
        raw = api.get(address).raw.decode()
        assert [value for value in hidden if value in raw] == [], address
    exported: Any = auditor.post(ledger, {"format": "csv"})
    (tmp_path / "ledger.zip").write_bytes(b"".join(exported.streaming_content))
    with ZipFile(tmp_path / "ledger.zip") as bundle:
        files = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert [name for name, text in files.items() for value in hidden if value in text] == []
    assert json.loads(files["manifest.json"])["hidden"] >= 3
    assert "billingaccount" in files["rows.jsonl"]
    assert "hold" in verify.verify(tmp_path / "ledger.zip", [], [])

    def found(client: Client, text: str) -> list[str]:
        return [row.name for row in client.get(list_of(BillingAccount), {"q": text}).context["cl"].result_list]

    records = LogEntry.objects.filter(action_flag=REVEALED)
    for guess in ("390.533", "533447", "Flores 77", "ref-2"):
        assert (found(auditor, guess), found(operator, guess)) == ([], [account.name]), guess
    assert not records.exists()
    assert found(auditor, "39053344705") == [account.name]
    assert records.get().change_message.startswith("PersonalDataSearched: billingaccount.")
    # the page of the ledger shows none of it, and its file has it all
    reveal(auditor, f"{ledger}?kind=billing.billingaccount")
    known = records.count()
    revealed: Any = auditor.post(f"{ledger}?kind=billing.billingaccount", {"format": "csv"})
    with ZipFile(io.BytesIO(b"".join(revealed.streaming_content))) as bundle:
        assert number in bundle.read("rows.jsonl").decode()
    entry = records.latest("pk")
    assert (records.count(), entry.user.username) == (known + 1, "auditor")
    assert entry.change_message.startswith("PersonalDataRevealed: billingaccount.")
    assert entry.change_message.endswith(f"; {WHY}")
    assert "billingaccount.payment_profile" in entry.change_message
    reveal(auditor, page)
    shown = content(auditor.get(page))
    assert {number, street} <= {value for value in hidden if value in shown}
    assert "billingaccount.payment_profile" in records.latest("pk").change_message


@pytest.mark.once
def test_the_record_is_in_a_sealed_table() -> None:
    """What is done to a sealed table is found, tests/ledger/test_every_table.py says."""
    assert "django_admin_log" in {table.name for table in all_tables()}


def test_what_a_model_says_is_personal_is_masked_unless_it_is_a_text() -> None:
    columns = Columns.of(free="street reason", personal="street", texts="reason")
    assert (columns.masked, columns.personal) == (("street",), ("street", "reason"))
