"""An organization with two payers and a project, and the people who work with them by kubectl."""

from dataclasses import dataclass

import pytest

from billing.models import BillingAccount, BillingAccountBinding
from projects.models import Organization, Project
from tests.kubectl.commands import Kubectl
from tests.support import make
from tests.support.live import Live


@dataclass(frozen=True, slots=True)
class Acme:
    """`acme-corp`: its account `us` pays for the project `web`, its account `eu` for nothing, `labs` is Incomplete."""

    organization: Organization
    us: BillingAccount
    eu: BillingAccount
    labs: BillingAccount
    web: Project
    binding: BillingAccountBinding


@pytest.fixture
def acme(live: Live) -> Acme:
    organization = make.an_organization("acme-corp")
    us = make.a_ready_account(organization, "us", display_name="US")
    eu = make.a_ready_account(organization, "eu", display_name="EU", currency_code="EUR")
    web = make.a_project(organization, "web")
    return Acme(
        organization,
        us,
        eu,
        make.an_incomplete_account(organization, "labs"),
        web,
        make.a_binding(web, us, "web-to-us"),
    )


@pytest.fixture
def admin(live: Live, acme: Acme) -> Kubectl:
    """A billing admin of `acme-corp`, whose context is that namespace."""
    return Kubectl.of(live, make.a_person("acme-admin", roles={acme.organization: "billing-admin"}))


@pytest.fixture
def viewer(live: Live, acme: Acme) -> Kubectl:
    return Kubectl.of(live, make.a_person("acme-viewer", roles={acme.organization: "billing-viewer"}))


@pytest.fixture
def operator(live: Live, acme: Acme) -> Kubectl:
    return Kubectl.of(live, make.a_person("operator", groups=("finance-operator",)))
