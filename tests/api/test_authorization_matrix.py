"""Every route x method x role x {own, foreign, missing}, by the router's own list of routes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import TestCase
from django.urls import URLResolver, get_resolver

from billing.models import ApprovalRequest, BillingAccount, Suspension
from billing.services.approvals.requests import request_approval
from billing.services.charges import ChargeSpec, report_charge
from billing.services.payer_changes.facts import move_due
from billing.services.payer_locks import lock_payer
from billing.services.suspensions import suspend
from milo.identity.actors import actor_of
from milo.identity.tokens import revoke_token
from milo.kube.models import Change
from projects.models import Organization, Project
from tests.api.access_matrix import NOBODY, OPERATOR, ORGANIZATION_ROLES, PLATFORM_ROLES, PUBLIC, ROUTES, Case
from tests.api.client import Answer, Api, nothing_changes
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.payer_changes import a_payer_change

pytestmark = pytest.mark.once

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OWN, FOREIGN, MISSING = "ours", "them", "gone"
STEMS = {"organizations": "corp", "namespaces": "corp", "projects": "project", "billingaccounts": "account"} | {
    "customresourcedefinitions": "definition",
    "billingaccountbindings": "binding",
    "approvalrequests": "request",
    "charges": "charge",
    "payerchanges": "change",
    "billingaccountaffiliations": "affiliation",
}


def routes(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    """Every route of the URLconf, but those of the staff site."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if route != "admin/":
                yield from routes(pattern.url_patterns, route)
        else:
            yield route


def populate(prefix: str, operator: User) -> Organization:
    """An organization with one object of each kind, all named after `prefix`."""
    organization = make.an_organization(f"{prefix}-corp")
    account = make.a_ready_account(organization, f"{prefix}-account")
    make.a_person(f"{prefix}-member", roles={organization: "billing-viewer"})
    make.a_ready_account(organization, f"{prefix}-spare")
    asked = make.a_ready_account(organization, f"{prefix}-asked")
    make.a_binding(make.a_project(organization, f"{prefix}-project"), account, f"{prefix}-binding")
    suspended = make.a_ready_account(organization, f"{prefix}-suspended")
    suspend(suspended.pk, reason_code="ManualReview", message="x", actor=make.PLATFORM)
    request_approval(
        organization.pk, asked.name, "Close", justification="x", name=f"{prefix}-request", actor=actor_of(operator)
    )
    charge = ChargeSpec("x-1", Decimal("1.00"), "USD", date(2026, 12, 31))
    a_payer_change(account, make.a_project(organization, f"{prefix}-planned"), name=f"{prefix}-change")
    report_charge(organization.pk, account.name, charge, name=f"{prefix}-charge", actor=make.PLATFORM)
    below = make.a_ready_account(organization, f"{prefix}-below")
    an_affiliation(below, account, payer="Self", after=1, name=f"{prefix}-affiliation")
    return organization


def possible(route: str, operator: User, organization: Organization) -> tuple[Case, str]:
    """The case and the address of a POST to `route` where it succeeds; some need more than `populate` makes."""
    case, path = ROUTES[route]["POST"], address(route, OWN)
    if route.endswith("/takeover"):
        User.objects.filter(pk=operator.pk).update(is_active=False)
        return replace(case, code=200, who=case.who - {OPERATOR}), path
    if route.endswith("/unlockpayer"):
        lock_payer(Project.objects.get(name=f"{OWN}-project").pk, reason="regulated", actor=make.PLATFORM)
        return replace(case, code=200), path
    if route.endswith("/retry"):
        kept, account = make.a_project(organization), BillingAccount.objects.get(name=f"{OWN}-account")
        make.a_binding(kept, BillingAccount.objects.get(name=f"{OWN}-spare"))
        lock_payer(kept.pk, reason="regulated", actor=make.PLATFORM)
        a_payer_change(account, kept, make.a_project(organization), name=f"{OWN}-failed", effective_at=None)
        move_due()
        return replace(case, code=200), path.replace(f"{OWN}-change", f"{OWN}-failed")
    return case, path


class AuthorizationMatrix(TestCase):
    people: dict[str, Api]
    refused: dict[str, Api]

    @classmethod
    def setUpTestData(cls) -> None:
        operator = make.a_person(OPERATOR, groups=(OPERATOR,))
        own, _foreign = populate(OWN, operator), populate(FOREIGN, operator)
        cls.people = {NOBODY: Api.of(make.a_person(NOBODY)), OPERATOR: Api.of(operator)}
        cls.people |= {role: Api.of(make.a_person(role, groups=(role,))) for role in PLATFORM_ROLES if role != OPERATOR}
        cls.people |= {role: Api.of(make.a_person(role, roles={own: role})) for role in ORGANIZATION_ROLES}
        token, secret = make.a_token(make.a_person(groups=(OPERATOR, "auditor")))
        revoke_token(token.pk, actor=make.PLATFORM)
        cls.refused = {"anonymous": Api(), "revoked": Api(secret)}

    def test_every_route_has_its_entry_and_every_entry_its_route(self) -> None:
        assert set(routes()) == {*ROUTES, *PUBLIC}

    def test_strangers_are_told_that_the_server_is_there_and_nothing_else(self) -> None:
        for route in PUBLIC:
            path = f"/{route}".replace("<path:place>", "apis/billing.milo.io/v1alpha1")
            # the bare address redirects people
            assert Api().get(path).code == (200 if route else 302), route
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                assert Api().call(method, path, {}).code == 405, (method, route)
        for who, api in self.refused.items():
            for route in ROUTES:
                for method in METHODS[:-1]:
                    answer = api.call(method, address(route, OWN), {})
                    assert answer.code == 401, (who, method, route)
                    assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_what_no_entry_names_is_no_method(self) -> None:
        with nothing_changes():
            for route, cases in ROUTES.items():
                for method in METHODS:
                    known = cases.keys() | ({"HEAD"} if "GET" in cases else set())
                    if method not in known:
                        for api in (self.people[OPERATOR], self.people[NOBODY]):
                            assert api.call(method, address(route, OWN), {}).code == 405, (method, route)

    def test_each_role_is_answered_as_the_table_says(self) -> None:
        with nothing_changes():
            wrong = [
                (method, route, who, answer.code, case.expected(who), answer.raw[:200])
                for route, cases in ROUTES.items()
                for method, case in cases.items()
                for who, api in self.people.items()
                if (answer := self.ask(api, method, route, OWN, case)).code != case.expected(who)
            ]
        assert wrong == []

    def test_a_foreign_object_is_answered_byte_for_byte_as_a_missing_one(self) -> None:
        with nothing_changes():
            for route, method, case in targeted():
                for who in (NOBODY, *ORGANIZATION_ROLES):
                    api = self.people[who]
                    foreign = self.ask(api, method, route, FOREIGN, case)
                    missing = self.ask(api, method, route, MISSING, case)
                    assert foreign.code == missing.code == case.missing, (method, route, who, foreign.raw)
                    assert same(foreign) == same(missing), (method, route, who)

    def test_roles_across_the_platform_hold_in_every_organization_and_make_nothing_appear(self) -> None:
        with nothing_changes():
            for route, method, case in targeted():
                for who in PLATFORM_ROLES:
                    api = self.people[who]
                    foreign = self.ask(api, method, route, FOREIGN, case)
                    assert foreign.code == case.expected(who), (method, route, who, foreign.raw)
                    missing = self.ask(api, method, route, MISSING, case)
                    assert missing.code == case.missing, (method, route, who, missing.raw)

    def test_in_the_own_namespace_too_what_is_missing_is_not_found(self) -> None:
        with nothing_changes():
            for route, method, case in targeted():
                if "<str:namespace>" in route and "<str:name>" in route:
                    path = address(route, MISSING).replace(f"{MISSING}-corp", f"{OWN}-corp")
                    for who, api in self.people.items():
                        assert self.send(api, method, path, case, MISSING).code == 404, (method, route, who)

    def test_lists_over_all_namespaces_hold_nothing_foreign(self) -> None:
        for route in ROUTES:
            if "<" not in route and "GET" in ROUTES[route]:
                for role in ORGANIZATION_ROLES:
                    assert FOREIGN.encode() + b"-" not in self.people[role].get(f"/{route}").raw, (route, role)

    def ask(self, api: Api, method: str, route: str, prefix: str, case: Case) -> Answer:
        return self.send(api, method, address(route, prefix), case, prefix)

    def send(self, api: Api, method: str, path: str, case: Case, prefix: str) -> Answer:
        body = body_of(path, case, prefix)
        if method == "PUT":
            body = self.as_read(path.replace(f"{MISSING}-", f"{OWN}-"))
        query = "&".join(filter(None, ["" if method in ("GET", "WATCH") else "dryRun=All", case.query]))
        answer = api.call(method.replace("WATCH", "GET"), f"{path}?{query}", body)
        return answer

    def as_read(self, path: str) -> Any:
        return self.people[OPERATOR].get(path).json


def body_of(path: str, case: Case, prefix: str) -> Any:
    """The body that is sent to `path`, about the objects of `prefix`."""
    body: Any = case.body(prefix) if case.body else None
    if path.endswith("/resolvesuspension"):
        opened = Suspension.objects.filter(account__name=f"{prefix}-suspended").first()
        body["spec"]["suspension"] = str(opened.uid if opened else uuid4())
    if path.endswith("/approve"):
        request = ApprovalRequest.objects.filter(name=f"{prefix}-request").first()
        body["spec"]["reviewedHash"] = request.reviewed_hash if request else "0"
    return body


def targeted() -> Iterator[tuple[str, str, Case]]:
    """The cases that are about one organization or one object: route, method, case."""
    for route, cases in ROUTES.items():
        for method, case in cases.items():
            if "<str:name" in route or case.missing == 422:
                yield route, method, case


def same(answer: Answer) -> tuple[bytes, dict[str, str]]:
    """What an answer says, with the foreign name put for the missing one: the two are of one length."""
    raw = b"" if answer.response.streaming else answer.raw
    return raw.replace(b"%s-" % FOREIGN.encode(), b"%s-" % MISSING.encode()), {
        name: value for name, value in answer.headers.items() if name != "X-Request-ID"
    }


def address(route: str, prefix: str) -> str:
    """The address of the objects of `prefix`."""
    parts = route.split("/")
    for position, part in enumerate(parts):
        kind = parts[position - 1]
        if part == "<str:namespace>":
            parts[position] = f"{prefix}-corp"
        elif part == "<str:name>" and kind == "events":
            parts[position] = event_of(prefix)
        elif part == "<str:name>":
            suspended = parts[-1] == "resolvesuspension"
            parts[position] = f"{prefix}-{'suspended' if suspended else STEMS[kind]}"
    path = "/".join(parts)
    return "/" + path.replace("<str:group>", "billing.milo.io").replace("<str:version>", "v1alpha1")


def event_of(prefix: str) -> str:
    """The name of an event; one that is missing has the number of a foreign one."""
    happened_to = OWN if prefix == OWN else FOREIGN
    change = Change.objects.filter(name=f"{happened_to}-account").exclude(reason="").earliest("resource_version")
    return f"{prefix}-account.{change.resource_version:x}"
