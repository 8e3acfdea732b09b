"""Who a token of the provider stands for: issuer and subject. A name takes nobody over; a malformed claim is 401."""

import json
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from milo.identity.identities import link, unlink
from milo.identity.models import Identity
from projects.models import Organization
from tests.api.client import ORGANIZATIONS, Api, nothing_changes
from tests.api.oidc import ISSUER, Sign
from tests.support import make

pytestmark = pytest.mark.once

LONG = 100_000


def people() -> dict[str, str]:
    """Who stands behind each subject."""
    return dict(Identity.objects.values_list("subject", "user__username"))


def refused(client: Api) -> str:
    """The message of a 401 that left no trace."""
    users = list(User.objects.values_list("username", flat=True))
    with nothing_changes():
        message: str = client.get(ORGANIZATIONS).refused(401, "Unauthorized")["message"]
    assert list(User.objects.values_list("username", flat=True)) == users
    return message


def test_one_subject_with_two_names_is_one_person(sign: Sign) -> None:
    for name in ("first name", "second name", "first name"):
        sign(preferred_username=name, groups=["finance"]).get(ORGANIZATIONS).done()
    assert people() == {"1234": "first name"}
    assert User.objects.count() == 1


def test_two_subjects_with_one_name_are_two_people_of_whom_the_second_is_refused(sign: Sign) -> None:
    sign(sub="one", groups=["finance"]).get(ORGANIZATIONS).done()
    assert "may link" in refused(sign(sub="two", groups=["finance"]))
    assert people() == {"one": "federated"}


def test_a_first_log_in_is_history(sign: Sign) -> None:
    sign(groups=["finance"]).get(ORGANIZATIONS).done()
    (was,) = Identity.history.all()
    assert (was.history_user_id, was.history_summary, was.subject) == (
        "system:oidc",
        "IdentityFirstSeen",
        "1234",
    )


@pytest.mark.parametrize(
    "claimed",
    [
        "operator",
        "Operator",
        "  operator ",
        "ｏｐｅｒａｔｏｒ",
        "\u00a0operator",
        "оperator",  # Cyrillic о
        "οperator",  # Greek ο
        "0perator",
        "opеrаtоr",
        "operat\u00f3\u200br",
        "ореratоr",
    ],
)
@pytest.mark.parametrize("local", [{}, {"is_staff": True, "is_superuser": True}, {"is_active": False}])
def test_a_local_user_is_not_taken_over_by_name_or_by_what_looks_like_it(
    sign: Sign, claimed: str, local: dict[str, Any]
) -> None:
    make.a_person("operator", **local)
    refused(sign(preferred_username=claimed, groups=["finance"]))


@pytest.mark.parametrize(
    ("here", "claimed"),
    [("scope", "ѕсоре"), ("acme-01", "acme-ol"), ("burn", "bum"), ("Iris", "lris"), ("jane doe", "Jane  Doe")],
)
def test_a_name_of_one_script_that_looks_like_another_person_is_refused(sign: Sign, here: str, claimed: str) -> None:
    make.a_person(here)
    refused(sign(preferred_username=claimed, groups=["finance"]))


@pytest.mark.parametrize(
    ("claimed", "known_as"),
    [
        ("Jane.Doe@Corp.example", "jane.doe@corp.example"),
        ("Ｊane   Doe", "jane doe"),
        ("Müller", "müller"),
        ("иван петров", "иван петров"),
        ("山田太郎", "山田太郎"),
        ("김철수", "김철수"),
        ("नमस्ते", "नमस्ते"),
        ("O'Brien", "o'brien"),
        ("auth0|5f7c8ec7c33c6c004bbafe82", "auth0|5f7c8ec7c33c6c004bbafe82"),
    ],
)
def test_a_name_of_any_language_is_kept_normalized(sign: Sign, claimed: str, known_as: str) -> None:
    make.a_person("operator")
    sign(preferred_username=claimed, groups=["finance"]).get(ORGANIZATIONS).done()
    assert people() == {"1234": known_as}


@pytest.mark.parametrize("claimed", ["раypal", "op\u0435rator", "a\u115fb", "a\ufe0fb", "\u3164", "  ", "a\U0001f600"])
def test_a_name_of_mixed_scripts_or_of_what_is_not_seen_is_refused(sign: Sign, claimed: str) -> None:
    refused(sign(preferred_username=claimed, groups=["finance"]))


def test_a_linked_subject_acts_as_the_local_user_under_any_name_until_it_is_unlinked(
    sign: Sign, organization: Organization
) -> None:
    person = make.a_person("operator", roles={organization: "billing-viewer"})
    refused(sign(preferred_username="operator"))
    identity = link(person, ISSUER, "1234", why="HR-12", actor=make.PLATFORM)
    for name in ("operator", "somebody else"):
        assert sign(preferred_username=name).get(ORGANIZATIONS).names() == ["acme-corp"]
    assert User.objects.count() == 1
    unlink(identity.pk, why="has left", actor=make.PLATFORM)
    refused(sign(preferred_username="operator"))


FORMLESS: list[Any] = [7, 7.5, True, {}, {"a": 1}, ["finance"], [["finance"]], [None], ""]


@pytest.mark.parametrize("value", [*FORMLESS, "x" * 256, "ö", "a\x00b", "two\nlines"])
@pytest.mark.parametrize("known", [False, True])
def test_a_subject_that_is_none_is_refused(sign: Sign, value: Any, known: bool) -> None:
    if known:
        sign(groups=["finance"]).get(ORGANIZATIONS).done()
    refused(sign(sub=value, groups=["finance"]))


@pytest.mark.parametrize("value", FORMLESS)
@pytest.mark.parametrize("known", [False, True])
def test_a_name_that_is_none_is_refused_of_a_known_person_too(sign: Sign, value: Any, known: bool) -> None:
    if known:
        sign(groups=["finance"]).get(ORGANIZATIONS).done()
    refused(sign(preferred_username=value, groups=["finance"]))


@pytest.mark.parametrize(
    "value",
    [
        [["finance"]],
        [7],
        [None],
        [{"finance": 1}],
        ["finance", ["finance"]],
        {"finance": 1},
        "finance",
        7,
        0,
        False,
        "",
    ],
)
def test_groups_that_are_no_list_of_texts_are_refused(sign: Sign, value: Any) -> None:
    refused(sign(groups=value))


def test_groups_that_are_left_out_or_none_at_all_give_no_role(sign: Sign) -> None:
    sign().get(ORGANIZATIONS).refused(403, "Forbidden")
    sign(groups=[]).get(ORGANIZATIONS).refused(403, "Forbidden")


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1", "9999999999", "\u0663", True, False, [1], {}, "", float("nan"), "1e10"])
def test_a_date_that_is_no_number_is_refused(sign: Sign, claim: str, value: Any) -> None:
    refused(sign(groups=["finance"], **{claim: value}))


def _nested(depth: int) -> Any:
    value: Any = "finance"
    for _level in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("claim", ["groups", "preferred_username", "sub", "aud", "iss", "exp", "nbf", "iat", "other"])
@pytest.mark.parametrize("value", [_nested(400), "x" * LONG, ["x" * 10] * 10_000, 10**400, -1e308])
def test_a_huge_or_deep_claim_is_no_fault_of_the_server(sign: Sign, claim: str, value: Any) -> None:
    answer = sign(**{"groups": ["finance"], claim: value}).get(ORGANIZATIONS)
    assert answer.code in ((200, 401) if claim in ("other", "exp", "nbf", "iat") else (401,))


NUMBERS = st.integers() | st.floats() | st.booleans() | st.none()
VALUES = st.recursive(
    NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.sampled_from(["sub", "preferred_username", "groups", "aud", "iss", "exp", "nbf", "iat", "jti", "crit"])


@pytest.mark.once  # tokens are read before the database is asked
@given(claims=st.dictionaries(CLAIMS, VALUES, min_size=1, max_size=3))
def test_whatever_the_claims_are_the_answer_is_no_500(sign: Sign, claims: dict[str, Any]) -> None:
    """Claims that stay as they were may admit a person, who has no role."""
    answer = sign(**{name: value for name, value in claims.items() if value is not None}).get(ORGANIZATIONS)
    assert answer.code in (401, 403)


HEADERS = st.dictionaries(
    st.sampled_from(["kid", "alg", "typ", "crit", "jwk", "jku", "b64", "x5c"]), VALUES, max_size=4
)


@pytest.mark.once
@given(header=HEADERS | VALUES)
def test_whatever_the_header_is_the_answer_is_no_500(sign: Sign, header: Any) -> None:
    _header, payload, signature = sign(groups=["finance"]).secret.split(".")
    forged = jwt.utils.base64url_encode(json.dumps(header).encode()).decode()
    Api(f"{forged}.{payload}.{signature}").get(ORGANIZATIONS).refused(401, "Unauthorized")


@pytest.mark.parametrize("depth", [1_000, 5_000])
@pytest.mark.parametrize("part", [0, 1])
def test_a_part_that_is_nested_deeply_is_no_500(sign: Sign, depth: int, part: int) -> None:
    parts = sign(groups=["finance"]).secret.split(".")
    parts[part] = jwt.utils.base64url_encode(b"[" * depth + b"]" * depth).decode()
    Api(".".join(parts)).get(ORGANIZATIONS).refused(401, "Unauthorized")


def test_one_person_has_one_limit_whatever_token_they_send(sign: Sign, settings: Any) -> None:
    settings.MILO_REQUESTS_PER_MINUTE = 3
    codes = [sign(groups=["finance"], jti=str(number)).get(ORGANIZATIONS).code for number in range(8)]
    # the minute may end meanwhile
    assert codes.count(429) >= 1
