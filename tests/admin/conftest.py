"""The world that the pages are opened on."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    PayerChange,
    Suspension,
)
from billing.services.charges import ChargeSpec, report_charge
from billing.services.holds import set_hold
from milo.identity.identities import link
from milo.identity.models import Identity, LogIn, ServiceToken
from projects.models import Membership, Organization, Project
from tests.admin.browser import staff
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.payer_changes import a_payer_change


@dataclass(frozen=True, slots=True)
class World:
    """A project that `eu` pays for and `us` paid for before."""

    organization: Organization
    project: Project
    us: BillingAccount
    eu: BillingAccount
    first: BillingAccountBinding
    second: BillingAccountBinding
    membership: Membership
    token: ServiceToken
    identity: Identity
    log_in: LogIn


@pytest.fixture
def world(db: None) -> World:
    organization = make.an_organization("acme-corp")
    project = make.a_project(organization, "webapp-frontend", display_name="Web shop")
    us = make.a_ready_account(organization, "acme-us", invoice_email_addresses=["invoices@acme-corp.example"])
    eu = make.a_ready_account(organization, "acme-eu", currency_code="EUR")
    first = make.a_binding(project, us, "first")
    second = make.a_binding(project, eu, "second")
    first.refresh_from_db()
    person = make.a_person("acme-admin", roles={organization: "billing-admin"})
    token, _secret = make.a_token(person, description="pipeline")
    identity = link(person, "https://id.example", "1234", why="first log-in", actor=make.PLATFORM)
    log_in = LogIn.objects.create(name="acme-admin", outcome=LogIn.Outcome.FAILED, address="192.0.2.0/24")
    return World(organization, project, us, eu, first, second, Membership.objects.get(), token, identity, log_in)


@dataclass(frozen=True, slots=True)
class Life:
    """What has happened to `us`: suspended (a notice owed), held, charged, planned as payer, other terms asked for.

    Another account, `acme-apac`, is planned to come under `eu` in the month after.
    """

    suspension: Suspension
    hold: Hold
    charge: Charge
    request: ApprovalRequest
    notice: Notice
    change: PayerChange
    plan: BillingAccountAffiliation


@pytest.fixture
def life(world: World) -> Life:
    account = make.in_phase(world.us, "Suspended")
    hold = set_hold(account.pk, type="Dispute", message="invoice 12 is disputed", actor=make.PLATFORM)
    spec = ChargeSpec("inv-12", Decimal("12.50"), "USD", date(2026, 1, 31))
    charge = report_charge(account.organization_id, account.name, spec, actor=make.PLATFORM)
    planned = make.a_project(world.organization, "data-mart")
    make.a_binding(planned, world.eu)
    change = a_payer_change(world.us, planned)
    plan = an_affiliation(make.a_ready_account(account.organization, "acme-apac"), world.eu, payer="Self", after=1)
    return Life(Suspension.objects.get(), hold, charge, make.a_request(account), Notice.objects.get(), change, plan)


@pytest.fixture
def operator(db: None) -> Client:
    return staff("finance-operator", name="operator")


@pytest.fixture
def approver(db: None) -> Client:
    return staff("finance-approver", name="approver")


@pytest.fixture
def auditor(db: None) -> Client:
    return staff("auditor", name="auditor")
