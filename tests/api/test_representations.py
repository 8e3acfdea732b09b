"""In which form every address answers, and what that form is called: ETag, 304, gzip, indentation."""

import gzip
from itertools import combinations
from unittest.mock import patch

import orjson
import pytest
import yaml
from django.test import TestCase
from django.utils import timezone

from milo.kube.kinds import all_kinds
from projects.models import Organization
from tests.api.access_matrix import AUDITOR, DELEGATOR, OPERATOR, ROUTES, USAGE
from tests.api.client import ACCOUNTS, PROJECTS, Api, nothing_changes
from tests.api.examples import ACCOUNT_YAML
from tests.api.test_authorization_matrix import OWN, address, populate
from tests.support import make

FORMS = {
    "JSON": "application/json",
    "YAML": "application/yaml",
    "Table": "application/json;as=Table;v=v1;g=meta.k8s.io",
    "old Table": "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "metadata": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "metadata in YAML": "application/yaml;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
}
STREAMED = "usage/focus"
ENCODINGS = ("deflate", "br", "gzip, gzip", "zstd", "GZIP")
WAYS = ("{}", "W/{}", '"other", {}', "*")
"""How a client names the ETag that it knows."""


class EveryAddress(TestCase):
    api: Api

    @classmethod
    def setUpTestData(cls) -> None:
        operator = make.a_person(OPERATOR, groups=(OPERATOR, AUDITOR, USAGE, DELEGATOR))
        populate(OWN, operator)
        cls.api = Api.of(operator)

    def setUp(self) -> None:
        # ages and what is told of now stay as they are for a test
        self.enterContext(patch.object(timezone, "now", return_value=timezone.now()))

    def test_each_form_has_an_etag_of_its_own_by_which_it_is_not_sent_again(self) -> None:
        for number, (route, cases) in enumerate(ROUTES.items()):
            if "GET" not in cases or cases["GET"].code != 200 or route.endswith(STREAMED):
                continue
            path = f"{address(route, OWN)}?{cases['GET'].query}"
            answers = {form: self.api.get(path, accept=accept) for form, accept in FORMS.items()}
            for position, (form, answer) in enumerate(answers.items(), start=number):
                assert answer.code == 200, (path, form, answer.raw)
                tag = answer.headers["ETag"]
                assert not tag.startswith("W/")
                assert "Accept-Encoding" in answer.headers["Vary"]
                assert "Accept" in answer.headers["Vary"].split(", ")
                # each way at every address, since there are more forms than ways, and in every form
                known = WAYS[position % len(WAYS)].format(tag)
                again = self.api.get(path, accept=FORMS[form], if_none_match=known)
                assert (again.code, again.raw, again.headers["ETag"]) == (304, b"", tag), (path, form, known)
                assert "Content-Type" not in again.headers
                assert again.headers["Vary"] == answer.headers["Vary"]
            for one, other in combinations(answers.values(), 2):
                same = one.raw == other.raw
                assert (one.headers["ETag"] == other.headers["ETag"]) is same, path

    def test_a_form_that_was_read_is_not_taken_for_another(self) -> None:
        for path in (
            address("apis/billing.milo.io/v1alpha1/namespaces/<str:namespace>/billingaccounts", OWN),
            "/api/v1",
        ):
            tag = self.api.get(path).headers["ETag"]
            assert self.api.get(path, accept=FORMS["YAML"], if_none_match=tag).code == 200
            assert self.api.get(path, accept=FORMS["YAML"], if_match=tag).code == 412
            assert self.api.get(path, if_match=tag).code == 200
            assert self.api.get(path, if_match=f"W/{tag}").code == 412

    def test_a_compressed_body_is_refused_wherever_there_is_a_body(self) -> None:
        asked = 0
        with nothing_changes():
            for number, (route, cases) in enumerate(ROUTES.items()):
                for method in sorted(cases.keys() & {"POST", "PUT", "PATCH", "DELETE"}):
                    # where gzip is taken all, elsewhere two of them in turn
                    turn = ENCODINGS if route.endswith("/events") else (ENCODINGS * 2)[number % 5 : number % 5 + 2]
                    for encoding in turn:
                        taken = route.endswith("/events") and encoding == "GZIP"
                        sent = gzip.compress(b"[]") if taken else b"{}"
                        answer = self.api.call(method, address(route, OWN), sent, content_encoding=encoding)
                        if taken:
                            assert answer.code == 200, answer.raw
                            continue
                        answer.refused(415, "UnsupportedMediaType")
                        known = "identity, gzip" if route.endswith("/events") else "identity"
                        assert answer.headers["Accept-Encoding"] == known
                        asked += 1
        assert asked > 100

    def test_another_type_of_body_is_refused_without_naming_encodings(self) -> None:
        refused = self.api.post(PROJECTS, b"a=b", "application/x-www-form-urlencoded")
        refused.refused(415, "UnsupportedMediaType")
        assert "Accept-Encoding" not in refused.headers

    def test_a_post_that_creates_has_nothing_to_compare_and_says_so(self) -> None:
        """Acts compare: tests/api/test_act_preconditions.py."""
        acts = {act.name for kind in all_kinds() for act in kind.actions}
        with nothing_changes():
            for route, cases in ROUTES.items():
                if "POST" in cases and route.rpartition("/")[2] not in acts:
                    for header in ({"if_match": '"1"'}, {"if_none_match": "*"}):
                        self.api.post(address(route, OWN), {}, **header).refused(400, "BadRequest")

    def test_yaml_is_read_wherever_json_is(self) -> None:
        """A fault of the content, and none of the form: the same for both."""
        for route, cases in ROUTES.items():
            for method in cases.keys() & {"POST", "PUT"}:
                if route.endswith("/events") or cases[method].code == 405:
                    continue
                path = f"{address(route, OWN)}?dryRun=All"
                as_json = self.api.call(method, path, b'{"spec": {"unknown": true}, "more": 1}')
                for kind in ("application/yaml", "application/json"):
                    as_yaml = self.api.call(method, path, b"spec: {unknown: true}\nmore: 1\n", kind)
                    assert (as_yaml.code, as_yaml.raw) == (as_json.code, as_json.raw), (method, route)

    def test_json_is_indented_for_those_who_read_it_raw(self) -> None:
        people = {"user_agent": "curl/8.5.0"}, {"user_agent": "Wget/1.21"}, {"user_agent": "Mozilla/5.0 (X11)"}
        raw = {"user_agent": "kubectl/v1.37.1 (linux/amd64) kubernetes/f78e722", "accept": "application/json, */*"}
        for route, cases in ROUTES.items():
            if "GET" in cases and not route.endswith(STREAMED):
                path = f"{address(route, OWN)}?{cases['GET'].query}"
                plain = self.api.get(path)
                assert b"\n" not in plain.raw
                for headers in (*people, raw):
                    shown = self.api.get(path, **headers)
                    assert shown.raw.startswith(b"{\n  "), path
                    assert shown.raw.endswith(b"}\n")
                    assert shown.json == plain.json
                assert self.api.get(f"{path}&pretty=true").raw == self.api.get(path, **raw).raw
                assert self.api.get(f"{path}&pretty=false", **raw).raw == plain.raw

    def test_a_refusal_is_indented_too(self) -> None:
        assert self.api.get(f"{PROJECTS}/nothing", user_agent="curl/8").raw.startswith(b'{\n  "kind": "Status"')
        assert b"\n" not in self.api.get(f"{PROJECTS}/nothing", user_agent="kubectl/v1.37.1").raw


def test_yaml_says_what_json_says(admin: Api, operator: Api, organization: Organization) -> None:
    """Of numbers of every scheme too, whose names are an enumeration."""
    numbers = [
        {"country": "DE", "number": "DE136695976"},
        {"country": "DE", "number": "18181508155"},
        {"country": "AU", "number": "83914571673", "scheme": "GST"},
        {"country": "FR", "number": "732829320"},
        {"country": "IT", "number": "RSSMRA85T10A562S"},
    ]
    made = yaml.safe_load(ACCOUNT_YAML)
    made["spec"]["preferences"] = {"taxRegistrations": numbers}
    admin.post(ACCOUNTS, made | {"metadata": {"name": "us"}}).done(201)
    for path in (f"{ACCOUNTS}/us", ACCOUNTS, f"{ACCOUNTS}/us/status", f"{ACCOUNTS}/us/history"):
        assert yaml.safe_load(admin.get(path, accept="application/yaml").raw) == admin.get(path).json
    suspension = {"spec": {"reasonCode": "PaymentPastDue", "message": "overdue"}}
    answer = operator.post(f"{ACCOUNTS}/us/suspend", suspension, accept="application/yaml")
    assert (answer.code, yaml.safe_load(answer.raw)) == (200, admin.get(f"{ACCOUNTS}/us").json)


@pytest.fixture
def large(organization: Organization, admin: Api) -> str:
    """The address of an account with annotations of 200 KB."""
    notes = {f"note-{number}": "a note " * 600 for number in range(50)}
    make.a_ready_account(organization, "large")
    path = f"{ACCOUNTS}/large"
    admin.patch(path, {"metadata": {"annotations": notes}}).done()
    return path


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=1.0, *;q=0.5", "x-gzip", "GZIP", "br, gzip ; q=0.1"])
def test_a_large_answer_is_compressed_for_who_asks(admin: Api, large: str, accepted: str) -> None:
    for path in (large, ACCOUNTS):
        plain, small = admin.get(path), admin.get(path, accept_encoding=accepted)
        assert "Content-Encoding" not in plain.headers
        assert small.headers["Content-Encoding"] == "gzip"
        assert int(small.headers["Content-Length"]) == len(small.raw) < len(plain.raw)
        assert gzip.decompress(small.raw) == plain.raw
        assert small.headers["ETag"] == f'{plain.headers["ETag"][:-1]}-gzip"'
        tag = small.headers["ETag"]
        assert admin.get(path, accept_encoding=accepted, if_none_match=tag).code == 304
        assert admin.get(path, if_none_match=tag).code == 200


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip;q=0.000", "*"])
def test_a_large_answer_is_sent_plain_to_everybody_else(admin: Api, large: str, accepted: str) -> None:
    answer = admin.get(large, accept_encoding=accepted)
    assert "Content-Encoding" not in answer.headers
    assert answer.done()["metadata"]["name"] == "large"
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_small_answer_is_never_compressed(admin: Api, organization: Organization) -> None:
    make.a_ready_account(organization, "us")
    assert "Content-Encoding" not in admin.get(f"{ACCOUNTS}/us", accept_encoding="gzip").headers


def test_a_watch_is_never_compressed_nor_indented(admin: Api, large: str) -> None:
    answer = admin.get(f"{ACCOUNTS}?watch=true&timeoutSeconds=1", accept_encoding="gzip", user_agent="curl/8")
    assert answer.response.streaming
    assert "Content-Encoding" not in answer.headers
    assert "ETag" not in answer.headers


def test_the_tag_of_a_compressed_object_lets_a_put_through(admin: Api, large: str) -> None:
    read = admin.get(large, accept_encoding="gzip")
    sent = orjson.loads(gzip.decompress(read.raw))
    del sent["metadata"]["resourceVersion"]
    sent["spec"]["displayName"] = "By tag"
    assert admin.put(large, sent, if_match=read.headers["ETag"]).done()["spec"]["displayName"] == "By tag"
