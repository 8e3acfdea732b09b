"""Hostile requests: each is answered with a clear Status, and nothing changes."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from milo.asgi import application
from milo.identity.models import ServiceToken
from milo.identity.tokens import revoke_token
from projects.models import Organization
from tests.api.client import (
    ACCOUNTS,
    BILLING,
    BINDINGS,
    JSON_PATCH,
    ORGANIZATIONS,
    PROJECTS,
    Api,
    nothing_changes,
)
from tests.api.examples import PROJECT_YAML, a_binding, a_project, an_account, an_organization
from tests.support import make, tamper

US, PAYER, WEBAPP = f"{ACCOUNTS}/us", f"{BINDINGS}/payer", f"{PROJECTS}/webapp"
YAML = "application/yaml"
CARD = "4111 1111 1111 1111"
DEEP = 200_000


@pytest.fixture
def ledger(organization: Organization) -> None:
    """An account that pays for a project, and another account."""
    make.a_binding(make.a_project(organization, "webapp"), make.a_ready_account(organization, "us"), "payer")
    make.a_ready_account(organization, "eu")


NO_JSON = [
        b"", b" ", b"{", b'{"kind": }', b"{'kind': 'Project'}", b"nonsense", b"{}{}", b"[1,]", b'"\xff"',
        b'{"a": "\xc3\x28"}', "{}".encode("utf-16"), b"\xef\xbb\xbf{}", b'{"a": "\xed\xa0\x80"}', b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}', b'{"a": "\x00"}', b'{"a": "\\u0000"}', b'{"\\u0000": 1}', b'{"a": 1, "a": 1}',
        b'{"metadata": {"name": "a", "name": "b"}}', b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e400}',
        b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 18446744073709551616}', b"null", b"1", b'"x"', b"[]", b"true",
        b'{"a": 01}', b'{"a": 0x1}', b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * 33 + b"1" + b"}" * 33, b"{" + b'"a":1,' * 100_000 + b'"a":1}', b"/**/{}",
    
]  # fmt: skip


def test_what_is_no_json_is_a_bad_request(admin: Api, ledger: None) -> None:
    with nothing_changes():
        for body in NO_JSON:
            admin.post(PROJECTS, body).refused(400, "BadRequest")
            admin.put(US, body).refused(400, "BadRequest")
            if body.strip():
                admin.post(f"{WEBAPP}/archive", body).refused(400, "BadRequest")


NO_YAML = [
        "", "# nothing", "---\n---\n", "kind: Project\n---\nkind: Project\n", "a: 1\na: 1", "kind: {a: 1, a: 2}",
        "a: &x 1\nb: *x", "a: &x {}", "*x", "a: !!python/object/apply:os.system [ls]", "a: !!binary aGk=", "!x {}",
        "a: !!str 1", "? [a]\n: 1", "? {a: 1}\n: 1", "~: 1", ": 1", "a: [", "a: }", "\t- a", "%YAML 3.0\n---\na: 1",
        "a: b: c", "- " * DEEP, "[" * DEEP, "{a: " * DEEP, "? " * DEEP, "a: \x00", 'a: "\\0"', "a: \x07", "just text",
        "- a", "7", "a: 1\n" * 100_000,
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: [*c,*c,*c,*c]",
        'a: "\\ud800"', "<<: {kind: Project}", "a: .nan\nb: .inf", "x" * 1_000_000, "a:" + " " * 900_000 + "b",
    
]  # fmt: skip


def test_what_is_no_plain_yaml_is_a_bad_request(admin: Api, ledger: None) -> None:
    with nothing_changes():
        for body in NO_YAML:
            admin.post(PROJECTS, body, YAML).refused(400, "BadRequest")


def test_yaml_that_is_not_utf_8_is_a_bad_request(admin: Api, organization: Organization) -> None:
    with nothing_changes():
        for encoding in ("utf-16", "utf-32", "latin-1"):
            body = PROJECT_YAML.replace("main", "mäin").encode(encoding)
            admin.post(PROJECTS, body, YAML).refused(400, "BadRequest")


@pytest.mark.parametrize(
    ("scalar", "kept"),
    [("NO", "NO"), ("12:30:00", "12:30:00"), ("2026-01-01", "2026-01-01"), ("0o17", "0o17"), ("yes", "yes")],
)
def test_yaml_scalars_mean_what_their_json_would(
    admin: Api, organization: Organization, scalar: str, kept: str
) -> None:
    body = PROJECT_YAML + f"  displayName: {scalar}\n"
    assert admin.post(PROJECTS, body, YAML).done(201)["spec"]["displayName"] == kept


def test_a_yaml_scalar_that_is_no_text_does_not_become_one(
    admin: Api, organization: Organization, subtests: pytest.Subtests
) -> None:
    for scalar in ["1", "true", "null-ish: x", "[x]", "1.5"]:
        with subtests.test(scalar=scalar):
            with nothing_changes():
                answer = admin.post(PROJECTS, PROJECT_YAML + f"  displayName: {scalar}\n", YAML)
            assert answer.code in (400, 422)


OTHER_TYPES: list[str] = [
    "text/plain",
    "text/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "x",
    "*/*",
    "application/vnd.kubernetes.protobuf+xml",
    "a" * 1000,
]


def test_a_body_of_another_type_is_refused(admin: Api, ledger: None, subtests: pytest.Subtests) -> None:
    for content_type in OTHER_TYPES:
        with subtests.test(content_type=content_type), nothing_changes():
            admin.post(PROJECTS, b"{}", content_type).refused(415, "UnsupportedMediaType")
            admin.patch(US, b"{}", content_type).refused(415, "UnsupportedMediaType")


BROKEN_PROTOBUF: list[bytes] = [
    b"",
    b"k8s",
    b"k8s\x00",
    b"k8s\x00" + b"\xff" * 50,
    b"k8s\x00\x0a\x7f",
    b"{}",
]


def test_a_broken_protobuf_body_is_a_bad_request(
    admin: Api, organization: Organization, subtests: pytest.Subtests
) -> None:
    for body in BROKEN_PROTOBUF:
        with subtests.test(body=body):
            with nothing_changes():
                path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
                answer = admin.post(path, body, "application/vnd.kubernetes.protobuf")
            assert answer.code in (400, 415)
            assert answer.json["kind"] == "Status"


def changed(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `manifest` with `value` at the dotted `path`."""
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    at = copy
    *parents, last = path.split(".")
    for key in parents:
        at = at.setdefault(key, {})
    at[last] = value
    return copy


WRONG: list[Any] = [None, 0, -1, 1.5, True, [], {}, "", [[]], {"a": {}}, "x" * 300, 2**63, -(2**63), "\x01"]
PATCHED: list[Any] = [7, True, [], {}, [{}], "x" * 300, 10**18]
PATHS = [
    *("apiVersion", "kind", "metadata", "spec", "metadata.name", "metadata.namespace", "metadata.labels"),
    *("metadata.annotations", "metadata.resourceVersion", "metadata.uid", "metadata.generateName"),
    *("spec.displayName", "spec.currencyCode", "spec.paymentTerms", "spec.paymentTerms.netDays"),
    *("spec.paymentTerms.invoiceFrequency", "spec.paymentTerms.invoiceDayOfMonth", "spec.paymentProfile"),
    *("spec.paymentProfile.creditCard", "spec.paymentProfile.creditCard.cardReference", "spec.invoiceEmailAddresses"),
]


def test_a_value_of_the_wrong_type_anywhere_is_refused_or_means_absent(
    admin: Api, ledger: None, subtests: pytest.Subtests
) -> None:
    """What is taken is the very value that was sent, unless the server owns the field."""
    for path in PATHS:
        with subtests.test(path=path), nothing_changes():
            for value in WRONG:
                answer = admin.post(f"{ACCOUNTS}?dryRun=All", changed(an_account("new"), path, value))
                if answer.code != 201:
                    assert answer.code in (400, 422), (path, value, answer.raw)
                    answer.refused(answer.code, answer.json["reason"])
                elif path not in ("metadata.generateName", "metadata.uid"):
                    taken: Any = answer.json
                    for key in path.split("."):
                        taken = taken.get(key) if isinstance(taken, dict) else None
                    absent = value is None or value in ("", [], {})
                    assert absent or (type(taken), taken) == (type(value), value), (path, value, taken)


PATCHED_PATHS: list[str] = [path for path in PATHS if path not in ("apiVersion", "kind")]


def test_a_patch_of_the_wrong_type_anywhere_is_refused_or_means_absent(
    admin: Api, ledger: None, subtests: pytest.Subtests
) -> None:
    for path in PATCHED_PATHS:
        with subtests.test(path=path), nothing_changes():
            for value in PATCHED:
                answer = admin.patch(f"{US}?dryRun=All", changed({}, path, value))
                assert answer.code in (200, 400, 409, 422), (path, value, answer.raw)


OTHER_KINDS: list[Any] = [
    a_project() | {"apiVersion": "v1"},
    a_project() | {"kind": "Organization"},
    a_project() | {"kind": "project"},
    a_project() | {"apiVersion": "resources.milo.io/v1"},
    {"metadata": {"name": "x"}, "spec": {"organizationRef": {"name": "acme-corp"}}},
    changed(a_project(), "metadata.namespace", "acme-corp"),
    an_account(),
]


def test_a_body_of_another_kind_or_namespace_is_refused(
    admin: Api, organization: Organization, subtests: pytest.Subtests
) -> None:
    for body in OTHER_KINDS:
        with subtests.test(body=body), nothing_changes():
            admin.post(PROJECTS, body).refused(400, "BadRequest")


def test_the_namespace_and_the_name_in_the_body_must_be_those_of_the_address(operator: Api, ledger: None) -> None:
    make.an_organization("other-corp")
    read = operator.get(US).done()
    with nothing_changes():
        operator.post(ACCOUNTS, changed(an_account(), "metadata.namespace", "other-corp")).refused(400, "BadRequest")
        operator.put(US, changed(read, "metadata.namespace", "other-corp")).refused(400, "BadRequest")
        operator.put(US, changed(read, "metadata.name", "eu")).refused(400, "BadRequest")
        operator.put(US, changed(read, "kind", "Project")).refused(400, "BadRequest")
        for patch in ({"metadata": {"namespace": "other-corp"}}, {"metadata": {"name": "eu"}}, {"kind": "Project"}):
            operator.patch(US, patch).refused(400, "BadRequest")


NO_NAMES: list[str] = ["a" * 300, "A", "a/b", "a b", "é", "a\n", ".", "..", "-", "a" * 64]


def test_a_name_that_can_be_none_is_invalid(operator: Api, ledger: None, subtests: pytest.Subtests) -> None:
    for name in NO_NAMES:
        with subtests.test(name=name), nothing_changes():
            for path, body in (
                (ORGANIZATIONS, an_organization(name)),
                (PROJECTS, a_project(name)),
                (ACCOUNTS, an_account(name)),
                (BINDINGS, a_binding("webapp", "eu", name)),
            ):
                answer = operator.post(path, body)
                answer.refused(422, "Invalid")
                assert answer.causes().keys() == {"metadata.name"}


NO_REFERENCES: list[str] = [
    "a" * 300,
    "",
    "é",
    "a/b",
    "\x7f",
    "'; DROP TABLE projects_project; --",
]


def test_a_reference_to_what_can_have_no_such_name_is_invalid(
    admin: Api, ledger: None, subtests: pytest.Subtests
) -> None:
    for reference in NO_REFERENCES:
        with subtests.test(reference=reference), nothing_changes():
            admin.post(PROJECTS, a_project(organization=reference)).refused(422, "Invalid")
            admin.post(BINDINGS, a_binding(reference, "us", "x")).refused(422, "Invalid")
            admin.post(BINDINGS, a_binding("webapp", reference, "x")).refused(422, "Invalid")


NO_ADDRESSES: list[str] = [
    "%00",
    "a%00b",
    "%ff",
    "%F0%9F%92%A3",
    "a" * 5000,
    "..",
    "%2e%2e",
    "a%2Fb",
    "%0a",
    "*",
    "us%00",
]


def test_an_address_that_can_name_nothing_is_not_found(operator: Api, ledger: None, subtests: pytest.Subtests) -> None:
    for name in NO_ADDRESSES:
        with subtests.test(name=name), nothing_changes():
            for path in (
                *(f"{base}/{name}" for base in (ORGANIZATIONS, PROJECTS, ACCOUNTS, BINDINGS, "/api/v1/namespaces")),
                f"{BILLING}/namespaces/{name}/billingaccounts",
                f"{BILLING}/namespaces/{name}/billingaccounts/us",
                f"{PROJECTS}/{name}/billinghistory",
                f"/api/v1/namespaces/{name}/events",
            ):
                operator.get(path).refused(404, "NotFound")
            operator.post(f"{PROJECTS}/{name}/archive").refused(404, "NotFound")
            operator.patch(f"{ACCOUNTS}/{name}", {}).refused(404, "NotFound")
            operator.post(f"{BILLING}/namespaces/{name}/billingaccounts", an_account()).refused(404, "NotFound")


def test_a_faulty_query_is_a_bad_request(admin: Api, ledger: None) -> None:
    many = "&".join(f"x{number}=1" for number in range(1001))
    empty = ("limit=", "timeoutSeconds=", "dryRun=", "fieldValidation=", "includeObject=")
    for query in (*empty, "limit=abc", "watch=maybe", "continue=x", "labelSelector=a=b=c", "includeObject=All", many):
        admin.get(f"{ACCOUNTS}?{query}").refused(400, "BadRequest")
    admin.get(f"{ACCOUNTS}?%ff=%ff&%00=%00&limit=1").done()


def test_a_host_that_is_not_ours_is_a_bad_request(admin: Api, ledger: None) -> None:
    admin.get(ACCOUNTS, host="evil.example").refused(400, "BadRequest")


def test_a_method_that_is_not_there_is_not_allowed(admin: Api, ledger: None, subtests: pytest.Subtests) -> None:
    for method in ["OPTIONS", "TRACE", "DELETE", "PUT", "PATCH", "BREW"]:
        with subtests.test(method=method):
            with nothing_changes():
                answer = admin.call(method, ACCOUNTS, {})
            assert answer.code == 405
            if method != "TRACE":
                answer.refused(405, "MethodNotAllowed")
            assert "POST" in answer.headers["Allow"]


def test_a_body_over_one_mebibyte_is_too_large(
    admin: Api, organization: Organization, subtests: pytest.Subtests
) -> None:
    for size in [1024 * 1024 + 1, 5 * 1024 * 1024]:
        with subtests.test(size=size), nothing_changes():
            admin.post(PROJECTS, b" " * size).refused(413, "RequestEntityTooLarge")


def chunked(body: bytes, secret: str = "", path: str = PROJECTS) -> httpx.Response:
    """POST `body` in chunks, without Content-Length, through the ASGI application."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    async def send() -> httpx.Response:
        app: Any = application  # the types of httpx and of Django name the same messages differently
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
            return await client.post(path, content=chunks(), headers=headers)

    response: httpx.Response = async_to_sync(send)()
    assert "content-length" not in response.request.headers
    return response


@pytest.mark.django_db(transaction=True)
def test_a_chunked_body_counts(admin: Api, organization: Organization) -> None:
    response = chunked(json.dumps(a_project()).encode(), admin.secret)
    assert response.status_code == 201, response.text


def test_a_chunked_body_over_one_mebibyte_is_too_large(admin: Api, organization: Organization) -> None:
    with nothing_changes():
        response = chunked(b" " * (1024 * 1024 + 1), admin.secret)
    assert response.status_code == 413
    assert response.json()["reason"] == "RequestEntityTooLarge"


def test_patches_cannot_make_an_object_grow_without_bound(admin: Api, ledger: None) -> None:
    def labels(first: int) -> dict[str, str]:
        return {f"{'x' * 50}{number}": "y" * 60 for number in range(first, first + 5000)}

    first = admin.patch(US, {"metadata": {"labels": labels(0)}})
    with nothing_changes():
        answer = first if first.code == 422 else admin.patch(US, {"metadata": {"labels": labels(5000)}})
    answer.refused(422, "Invalid")
    assert answer.causes().keys() == {"metadata.labels"}


def test_copies_of_a_json_patch_cannot_fill_the_memory(admin: Api, ledger: None) -> None:
    patch = [{"op": "copy", "from": "", "path": f"/metadata/annotations/a{number}"} for number in range(1000)]
    with nothing_changes():
        answer = admin.patch(US, [{"op": "add", "path": "/metadata/annotations", "value": {}}, *patch], JSON_PATCH)
    assert answer.code in (400, 422)


CARDS = [
    CARD,
    CARD.replace(" ", "-"),
    CARD.replace(" ", ""),
    "4111.1111.1111.1111",
    "".join(chr(ord(digit) + 0xFEE0) for digit in "4111111111111111"),
    "5555\u200b555555554444",
]


CARD_IN_TEXTS: list[tuple[str, dict[str, Any], str]] = [
    (ORGANIZATIONS, an_organization("new"), "spec.displayName"),
    (ORGANIZATIONS, an_organization("new"), "metadata.annotations.note"),
    (PROJECTS, a_project("new"), "spec.displayName"),
    (PROJECTS, a_project("new"), "metadata.annotations.note"),
    (ACCOUNTS, an_account("new"), "spec.displayName"),
    (ACCOUNTS, an_account("new"), "spec.paymentProfile.creditCard.cardReference"),
    (ACCOUNTS, an_account("new"), "metadata.annotations.note"),
    (BINDINGS, a_binding("webapp", "eu", "new"), "metadata.annotations.note"),
]


def test_a_card_number_is_refused_wherever_text_is_accepted(
    operator: Api, ledger: None, subtests: pytest.Subtests
) -> None:
    for path, body, field in CARD_IN_TEXTS:
        with subtests.test(path=path, body=body, field=field), nothing_changes():
            for card in CARDS:
                answer = operator.post(path, changed(body, field, card))
                answer.refused(422, "Invalid")
                assert answer.causes().keys() == {field}
                assert card not in answer.raw.decode()


UNSEEN = ["\u202e", "\u200d\u200b", " \u2060 ", "\u3164", "\u2800", "\ufe0f", "\u0301"]


def test_a_text_of_nothing_that_can_be_seen_is_refused_wherever_text_is_accepted(
    operator: Api, ledger: None, subtests: pytest.Subtests
) -> None:
    for path, body, field in CARD_IN_TEXTS:
        with subtests.test(path=path, field=field), nothing_changes():
            for unseen in UNSEEN:
                answer = operator.post(path, changed(body, field, unseen))
                answer.refused(422, "Invalid")
                assert answer.causes() == {field: "has nothing that can be seen"}
    # within a text they have their use, and so have pictures
    for number, seen in enumerate(("\u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f4bb", "a\u0301")):
        operator.post(PROJECTS, changed(a_project(f"seen-{number}"), "spec.displayName", seen)).done(201)


PLAIN = CARD.replace(" ", "")


CARD_IN_NAMES: list[tuple[str, dict[str, Any], str]] = [
    (ORGANIZATIONS, an_organization(PLAIN), "metadata.name"),
    (PROJECTS, a_project(PLAIN), "metadata.name"),
    (ACCOUNTS, an_account(PLAIN), "metadata.name"),
    (BINDINGS, a_binding("webapp", "eu", PLAIN), "metadata.name"),
    (PROJECTS, a_project("new", contactEmailAddresses=[f"{PLAIN}@acme.example"]), "spec.contactEmailAddresses[0]"),
    (ACCOUNTS, an_account("n", invoiceEmailAddresses=[f"{PLAIN}@acme.example"]), "spec.invoiceEmailAddresses[0]"),
    (ACCOUNTS, changed(an_account("n"), "metadata.labels", {"card": PLAIN}), "metadata.labels.card"),
    (ACCOUNTS, changed(an_account("n"), "metadata.labels", {PLAIN: "card"}), "metadata.labels"),
    (ACCOUNTS, changed(an_account("n"), "metadata.annotations", {f"a/{PLAIN}": "x"}), "metadata.annotations"),
    (ACCOUNTS, changed(an_account(), "metadata", {"generateName": f"{PLAIN}-"}), "metadata.name"),
]


def test_a_card_number_is_refused_in_names_addresses_and_keys(
    operator: Api, ledger: None, subtests: pytest.Subtests
) -> None:
    for path, body, field in CARD_IN_NAMES:
        with subtests.test(path=path, body=body, field=field):
            with nothing_changes():
                answer = operator.post(path, body)
            answer.refused(422, "Invalid")
            assert answer.causes().keys() == {field}


def test_a_card_number_is_refused_in_a_patch(operator: Api, ledger: None, subtests: pytest.Subtests) -> None:
    for path in [US, WEBAPP, f"{ORGANIZATIONS}/acme-corp", PAYER]:
        with subtests.test(path=path), nothing_changes():
            operator.patch(path, {"metadata": {"annotations": {"note": CARD}}}).refused(422, "Invalid")
            operator.patch(path, {"metadata": {"labels": {"card": PLAIN}}}).refused(422, "Invalid")
            if path != PAYER:
                operator.patch(path, {"spec": {"displayName": CARD}}).refused(422, "Invalid")


@pytest.mark.parametrize("reference", ["cc-12345", "424242XXXXXX4242", "tok_1234567890"])
def test_a_reference_that_is_no_card_number_passes(admin: Api, organization: Organization, reference: str) -> None:
    admin.post(ACCOUNTS, an_account(paymentProfile={"creditCard": {"cardReference": reference}})).done(201)


def test_a_token_that_no_longer_admits_is_refused_at_the_next_request(organization: Organization) -> None:
    person = make.a_person("jo", roles={organization: "billing-admin"})
    token, secret = make.a_token(person)
    api = Api(secret)
    api.get(ACCOUNTS).done()
    revoke_token(token.pk, actor=make.PLATFORM)
    with nothing_changes():
        refusal = api.post(ACCOUNTS, an_account())
        refusal.refused(401, "Unauthorized")
    assert refusal.headers["WWW-Authenticate"] == "Bearer"


def test_an_expired_token_is_refused(organization: Organization) -> None:
    person = make.a_person("jo", roles={organization: "billing-admin"})
    api = Api.of(person, expires_at=timezone.now() + timedelta(minutes=1))
    api.get(ACCOUNTS).done()
    with tamper.guards_off():
        ServiceToken.objects.update(expires_at=timezone.now())
    with nothing_changes():
        api.post(ACCOUNTS, an_account()).refused(401, "Unauthorized")


def test_a_disabled_user_is_refused_at_the_next_request(organization: Organization) -> None:
    person = make.a_person("jo", roles={organization: "billing-admin"})
    api = Api.of(person)
    api.get(ACCOUNTS).done()
    person.is_active = False
    person.save()
    with nothing_changes():
        api.post(ACCOUNTS, an_account()).refused(401, "Unauthorized")


def test_a_role_that_was_taken_away_is_gone_at_the_next_request(organization: Organization) -> None:
    person = make.a_person("jo", groups=("auditor",))
    api = Api.of(person)
    api.get(ACCOUNTS).done()
    person.groups.clear()
    api.get(ACCOUNTS).refused(404, "NotFound")


NO_TOKENS: list[str] = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Bearer milo_",
    "Basic am86am8=",
    "Token x",
    "bearer",
    "Bearer " + "x" * 9000,
    "Bearer \x01",
    "Bearer a b",
    "Negotiate",
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcGVyYXRvciJ9.",
    "Bearer ..",
    "Bearer \u00e9",
]


def test_what_is_no_token_is_refused(admin: Api, organization: Organization, subtests: pytest.Subtests) -> None:
    for authorization in NO_TOKENS:
        with subtests.test(authorization=authorization):
            with nothing_changes():
                answer = Api().post(ACCOUNTS, an_account(), authorization=authorization)
            answer.refused(401, "Unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_taken_from_the_header_only(admin: Api, organization: Organization) -> None:
    for query in (f"access_token={admin.secret}", f"token={admin.secret}"):
        Api().get(f"{ACCOUNTS}?{query}").refused(401, "Unauthorized")
    Api().get(ACCOUNTS, cookie=f"token={admin.secret}").refused(401, "Unauthorized")


def test_the_digest_of_a_token_does_not_admit(admin: Api, organization: Organization) -> None:
    Api(ServiceToken.objects.values_list("digest", flat=True)[0]).get(ACCOUNTS).refused(401, "Unauthorized")


def test_the_session_of_the_staff_site_does_not_admit(organization: Organization) -> None:
    api = Api()
    api.client.force_login(make.a_person("root", is_superuser=True, is_staff=True))
    with nothing_changes():
        api.get(ACCOUNTS).refused(401, "Unauthorized")
        api.post(ACCOUNTS, an_account()).refused(401, "Unauthorized")


IMPERSONATIONS: list[str] = [
    "impersonate_user",
    "impersonate_group",
    "impersonate_uid",
    "impersonate_extra_x",
]


def test_nobody_acts_as_somebody_else(operator: Api, organization: Organization, subtests: pytest.Subtests) -> None:
    for header in IMPERSONATIONS:
        with subtests.test(header=header), nothing_changes():
            operator.post(ACCOUNTS, an_account(), **{header: "auditor"}).refused(403, "Forbidden")
            operator.get(ACCOUNTS, **{header: ""}).refused(403, "Forbidden")


def test_an_unknown_address_is_a_status(admin: Api) -> None:
    for path in ("/api/v2", f"{PROJECTS}/", f"{ACCOUNTS}/", f"{ACCOUNTS}/us/secrets", "/apis/x/y/z", "/openapi/v9"):
        admin.get(path).refused(404, "NotFound")
