"""A create that is repeated under its own name: whatever has happened since, the answer is that the object is there."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from billing.models import ApprovalRequest, BillingAccount
from billing.services.approvals import requests
from billing.services.projects import archive_project
from milo.identity.actors import actor_of
from milo.kube.kinds import Kind, all_kinds
from projects.models import Organization, Project
from tests.api.access_matrix import NOBODY, OPERATOR, ORGANIZATION_ROLES, ROUTES, Case
from tests.api.client import Api, nothing_changes
from tests.api.test_authorization_matrix import OWN, address, body_of, populate
from tests.support import make

pytestmark = pytest.mark.django_db


def nothing(organization: Organization) -> None:
    """Nothing happens between the two."""


def the_account_is_suspended(organization: Organization) -> None:
    make.in_phase(BillingAccount.objects.get(organization=organization, name=f"{OWN}-spare"), "Suspended")


def the_project_is_archived(organization: Organization) -> None:
    archive_project(Project.objects.get(name=f"{OWN}-project").pk, actor=make.PLATFORM)


def the_account_is_closed(organization: Organization) -> None:
    account = BillingAccount.objects.get(organization=organization, name=f"{OWN}-spare")
    pending = ApprovalRequest.objects.pending().filter(account=account, act="Close").first()
    if pending:
        requests.renew(pending.pk, actor=actor_of(User.objects.get(username=pending.requester.partition(":")[2])))
    make.approve((pending or make.a_request(account, "Close")).pk, actor=make.APPROVER)


def collection(kind: Kind) -> tuple[str, Case]:
    [route] = [
        route for route in ROUTES if route.endswith(f".io/v1alpha1/{kind.plural}") and "POST" in ROUTES[route]
    ] or [route for route in ROUTES if route.endswith(f"/namespaces/<str:namespace>/{kind.plural}")]
    return route, ROUTES[route]["POST"]


def api_of(case: Case, operator: User, organization: Organization) -> Api:
    if OPERATOR in case.who:
        return Api.of(operator)
    role = min(case.who)
    inside = role in ORGANIZATION_ROLES
    return Api.of(make.a_person(roles={organization: role}) if inside else make.a_person(groups=(role,)))


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.plural)
def test_a_create_repeated_under_its_own_name_is_told_that_the_name_is_taken(kind: Kind) -> None:
    make.a_person(NOBODY)
    operator = make.a_person(OPERATOR, groups=(OPERATOR,))
    organization = populate(OWN, operator)
    route, case = collection(kind)
    api, path = api_of(case, operator, organization), address(route, OWN)
    body: dict[str, Any] = body_of(path, case, OWN)
    created = api.post(path, body).done(201)
    for meanwhile in (nothing, the_account_is_suspended, the_project_is_archived, the_account_is_closed):
        meanwhile(organization)
        with nothing_changes():
            if kind.plural == "charges":
                # a charge is known by its external id too, and a repeat with the same content is answered with it
                assert api.post(path, body).done(201)["metadata"]["uid"] == created["metadata"]["uid"]
                other = {**body, "spec": {**body["spec"], "amount": "11.00"}}
                api.post(path, other).refused(409, "AlreadyExists")
            else:
                api.post(path, body).refused(409, "AlreadyExists")
