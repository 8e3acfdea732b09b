"""The people and organizations of the API's tests, each person with a token of their own."""

import pytest

from billing.models import BillingAccount
from milo.kube.models import Change
from projects.models import Organization
from tests.api.client import Api
from tests.api.oidc import clock, jwks_url, keys, published, sign
from tests.support import make

__all__ = ["clock", "jwks_url", "keys", "published", "sign"]


@pytest.fixture
def example_account(organization: Organization) -> BillingAccount:
    """The account of the specification's examples, which pays for no project."""
    return make.a_ready_account(organization, "acme-corp-us")


@pytest.fixture
def other(db: None) -> Organization:
    return make.an_organization("other-corp")


@pytest.fixture
def admin(organization: Organization) -> Api:
    """The billing admin of acme-corp."""
    return Api.of(make.a_person("acme-admin", roles={organization: "billing-admin"}))


@pytest.fixture
def viewer(organization: Organization) -> Api:
    return Api.of(make.a_person("acme-viewer", roles={organization: "billing-viewer"}))


@pytest.fixture
def stranger(other: Organization) -> Api:
    """The billing admin of another organization."""
    return Api.of(make.a_person("other-admin", roles={other: "billing-admin"}))


@pytest.fixture
def operator(db: None) -> Api:
    return Api.of(make.a_person("operator", groups=("finance-operator",)))


@pytest.fixture
def auditor(db: None) -> Api:
    return Api.of(make.a_person("auditor", groups=("auditor",)))


def revisions(name: str) -> list[tuple[str, str]]:
    """Type and reason of each revision of the objects of this name, oldest first."""
    return list(Change.objects.filter(name=name).order_by("resource_version").values_list("type", "reason"))
