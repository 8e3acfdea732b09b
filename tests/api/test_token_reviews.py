"""TokenReview: who may ask whom a token stands for, and what is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from milo.identity.tokens import revoke_token
from projects.models import Organization
from tests.api.access_matrix import DELEGATOR
from tests.api.client import Api, nothing_changes
from tests.kube.test_protobuf import body, field
from tests.support import make, tamper

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
CAN_I = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def review(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}


@pytest.fixture
def proxy(db: None) -> Api:
    """A service that is sent tokens."""
    return Api.of(make.a_person("proxy", groups=(DELEGATOR,)))


def test_a_token_is_told_as_its_owner_would_be(proxy: Api, admin: Api) -> None:
    answer = proxy.post(REVIEWS, review(token=admin.secret))
    assert answer.done(201)["status"] == {
        "authenticated": True,
        "user": {"username": "acme-admin", "groups": ["system:authenticated", "acme-corp:billing-admin"]},
    }
    assert admin.secret.encode() not in answer.raw


def test_what_no_longer_admits_admits_nobody_here(proxy: Api, organization: Organization) -> None:
    person = make.a_person("leaver", roles={organization: "billing-viewer"})
    revoked, secret = make.a_token(person)
    revoke_token(revoked.pk, actor=make.PLATFORM)
    ending, expired = make.a_token(person, expires_at=timezone.now() + timedelta(hours=1))
    with tamper.guards_off():
        tamper.alter(ending, expires_at=timezone.now() - timedelta(seconds=1))
    disabled = make.a_person("disabled", is_active=False)
    of_disabled = make.a_token(disabled)[1]
    for token in (secret, expired, of_disabled, "milo_unknown", "x", "a.b.c"):
        status = proxy.post(REVIEWS, review(token=token)).done(201)["status"]
        assert status == {"authenticated": False, "error": "the token is unknown, expired or revoked"}


def test_only_whoever_has_the_role_may_ask(operator: Api, admin: Api, auditor: Api) -> None:
    root = Api.of(make.a_person("root", is_superuser=True))
    with nothing_changes():
        for api in (operator, admin, auditor, root):
            api.post(REVIEWS, review(token=admin.secret)).refused(403, "Forbidden")
            api.post(REVIEWS, b"no json").refused(403, "Forbidden")
    Api().post(REVIEWS, review(token=admin.secret)).refused(401, "Unauthorized")


def test_a_token_whose_scopes_leave_it_out_may_not_ask(admin: Api, db: None) -> None:
    person = make.a_person("proxy", groups=(DELEGATOR,))
    Api.of(person, scopes=[]).post(REVIEWS, review(token=admin.secret)).refused(403, "Forbidden")
    assert Api.of(person, scopes=["tokenreviews"]).post(REVIEWS, review(token=admin.secret)).code == 201


def test_the_role_lets_one_do_nothing_else(proxy: Api, organization: Organization) -> None:
    for path in ("/api/v1/namespaces", "/apis/resources.milo.io/v1alpha1/projects"):
        proxy.get(path).refused(403, "Forbidden")
    proxy.get("/api/v1/namespaces/acme-corp").refused(404, "NotFound")


@pytest.mark.parametrize(
    "sent", [{}, {"spec": {}}, {"spec": {"token": ""}}, {"spec": {"token": 1}}, {"spec": {"tokn": "x"}}]
)
def test_a_review_without_a_token_is_a_bad_request(proxy: Api, sent: dict[str, Any]) -> None:
    proxy.post(REVIEWS, sent).refused(400, "BadRequest")


def test_audiences_are_not_looked_at_and_the_answer_says_so(proxy: Api, admin: Api) -> None:
    status = proxy.post(REVIEWS, review(token=admin.secret, audiences=["billing"])).done(201)["status"]
    assert status["authenticated"] is True
    assert "audiences" not in status


def test_programs_in_go_send_it_as_protobuf(proxy: Api, admin: Api) -> None:
    spec = field(1, admin.secret.encode()) + field(2, b"one") + field(2, b"two")
    sent = body("authentication.k8s.io/v1", "TokenReview", field(2, spec))
    answer = proxy.post(REVIEWS, sent, "application/vnd.kubernetes.protobuf").done(201)
    assert answer["status"]["user"]["username"] == "acme-admin"
    assert answer["spec"] == {"audiences": ["one", "two"]}


def test_the_lists_of_what_one_may_do_say_the_same(proxy: Api, admin: Api) -> None:
    rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    for api, may in ((proxy, True), (admin, False)):
        found = api.post(rules, {"spec": {"namespace": "acme-corp"}}).done(201)["status"]["resourceRules"]
        assert ("tokenreviews" in {name for rule in found for name in rule["resources"]}) is may
        for group in ("authentication.k8s.io", "*"):
            asked = {"group": group, "resource": "tokenreviews", "verb": "create"}
            assert api.post(CAN_I, {"spec": {"resourceAttributes": asked}}).done(201)["status"]["allowed"] is may
