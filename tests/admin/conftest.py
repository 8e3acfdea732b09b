"""The world that the pages are opened on."""

from dataclasses import dataclass

import pytest
from django.test import Client

from billing.models import BillingAccount, BillingAccountBinding
from milo.identity.models import ServiceToken
from milo.identity.tokens import issue_token
from projects.models import Membership, Organization, Project
from tests import make
from tests.admin.browser import staff


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


@pytest.fixture
def world(db: None) -> World:
    organization = make.an_organization("acme-corp")
    project = make.a_project(organization, "webapp-frontend", display_name="Web shop")
    us = make.a_ready_account(organization, "acme-us")
    eu = make.a_ready_account(organization, "acme-eu", currency_code="EUR")
    first = make.a_binding(project, us, "first")
    second = make.a_binding(project, eu, "second")
    first.refresh_from_db()
    person = make.a_person("acme-admin", roles={organization: "billing-admin"})
    token, _secret = issue_token(person, description="pipeline", actor=make.PLATFORM)
    return World(organization, project, us, eu, first, second, Membership.objects.get(), token)


@pytest.fixture
def operator(db: None) -> Client:
    return staff("finance-operator", name="operator")


@pytest.fixture
def auditor(db: None) -> Client:
    return staff("auditor", name="auditor")
