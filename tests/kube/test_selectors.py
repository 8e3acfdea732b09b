from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import BillingAccount, BillingAccountBinding
from billing.services.accounts import AccountSpec, revise
from milo.errors import Refused
from milo.kube.kinds import Kind
from milo.kube.metadata import Metadata
from milo.kube.store.manifests import render
from milo.kube.store.selectors import Selection, parse
from tests.support import make

KEYS = ["tier", "123", "0", "app.kubernetes.io/name", "example.com/a.b", "in"]
VALUES = ["", "gold", "silver", "123", "v1.2_x-y"]
LARGEST = 2**63 - 1
NUMBERS = [0, 5, 9, 10, 122, 123, 124, LARGEST - 1, LARGEST]


class Accounts(Kind):
    group, kind, plural, singular = "billing.milo.io", "BillingAccount", "billingaccounts", "billingaccount"
    model = BillingAccount
    field_selectors = {
        "spec.currencyCode": "currency_code",
        "status.phase": "phase",
    }

    def queryset(self) -> Any:
        return BillingAccount.objects.select_related("organization")

    def spec(self, row: Any) -> dict[str, Any]:
        return {"currencyCode": row.currency_code}

    def status(self, row: Any) -> dict[str, Any]:
        return {"phase": row.phase}


class Clusterwide(Accounts):
    namespaced = False


@pytest.fixture
def accounts(db: None) -> list[BillingAccount]:
    """Create accounts that differ in labels, currency, phase, namespace and name."""
    labels: list[dict[str, str]] = [
        {},
        {"tier": "gold"},
        {"tier": "silver", "123": "123"},
        {"tier": "", "app.kubernetes.io/name": "gold"},
        {"0": "v1.2_x-y", "in": "gold", "example.com/a.b": "silver"},
        {"123": "9", "0": "00123", "tier": "", "in": "0"},
        {"123": str(LARGEST), "0": str(LARGEST + 1), "tier": "1e3", "in": "10"},
    ]
    made = []
    for name in ("acme-corp", "gold"):
        organization = make.an_organization(name)
        for number, each in enumerate(labels):
            account = make.a_ready_account(organization, f"account-{number}", currency_code=("USD", "EUR")[number % 2])
            made.append(relabel(account, each))
        made.append(make.an_incomplete_account(organization, "incomplete"))
    return made


def relabel(account: BillingAccount, labels: dict[str, str]) -> BillingAccount:
    return revise(account.pk, AccountSpec.of(account), Metadata(labels=labels), actor=make.PLATFORM)


def names(selection: Selection) -> list[str]:
    rows = selection.apply(Accounts().queryset().order_by("pk"))
    return [f"{row.organization.name}/{row.name}" for row in rows]


label_terms = st.one_of(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(KEYS),
        st.sampled_from(["=", "==", "!=", " = ", " != "]),
        st.sampled_from(VALUES),
    ),
    st.builds(
        "{} {} ({})".format,
        st.sampled_from(KEYS),
        st.sampled_from(["in", "notin"]),
        st.lists(st.sampled_from(VALUES)).map(", ".join),
    ),
    st.builds(
        "{}{}{}".format, st.sampled_from(KEYS), st.sampled_from([">", "<", " > ", " < "]), st.sampled_from(NUMBERS)
    ),
    st.builds("{}{}".format, st.sampled_from(["", "!"]), st.sampled_from(KEYS)),
)
field_terms = st.builds(
    "{}{}{}".format,
    st.sampled_from(["metadata.name", "metadata.namespace", "spec.currencyCode", "status.phase"]),
    st.sampled_from(["=", "==", "!="]),
    st.sampled_from(["", "gold", "account-1", "USD", "Ready", "Incomplete", "a\\,b", "'; --"]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(labels=st.lists(label_terms, max_size=3), fields=st.lists(field_terms, max_size=2))
def test_a_list_and_a_watch_select_the_same_objects(
    accounts: list[BillingAccount], labels: list[str], fields: list[str]
) -> None:
    selection = parse(Accounts(), ",".join(labels), ",".join(fields))
    matching = [row for row in Accounts().queryset().order_by("pk") if selection.matches(render(Accounts(), row, 1))]
    assert names(selection) == [f"{row.organization.name}/{row.name}" for row in matching]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=gold", ["account-1"]),
        ("tier=", ["account-3", "account-5"]),
        ("123=123", ["account-2"]),
        ("tier in ()", ["account-3", "account-5"]),
        ("tier in ( )", ["account-3", "account-5"]),
        ("tier in (,gold)", ["account-1", "account-3", "account-5"]),
        ("tier notin (),tier", ["account-1", "account-2", "account-6"]),
        ("123>9", ["account-2", "account-6"]),
        ("123 > 08, 123<123", ["account-5"]),
        ("123<9223372036854775807", ["account-2", "account-5"]),
        # labels that are no 64-bit integers never match
        ("0>122", ["account-5"]),
        ("in<10", ["account-5"]),
        ("in>0", ["account-6"]),
        ("in<0", []),
        ("tier>0", []),
        ("app.kubernetes.io/name == gold", ["account-3"]),
        ("tier in (gold, silver)", ["account-1", "account-2"]),
        ("tier", ["account-1", "account-2", "account-3", "account-5", "account-6"]),
        ("!tier", ["account-0", "account-4", "incomplete"]),
        ("tier!=gold", ["account-0", *(f"account-{number}" for number in range(2, 7)), "incomplete"]),
        ("tier notin (gold,silver)", ["account-0", *(f"account-{number}" for number in range(3, 7)), "incomplete"]),
        ("tier,tier!=gold,tier!=silver", ["account-3", "account-5", "account-6"]),
        ("", [*(f"account-{number}" for number in range(7)), "incomplete"]),
    ],
)
def test_label_selectors_mean_what_they_mean_in_kubernetes(
    accounts: list[BillingAccount], selector: str, expected: list[str]
) -> None:
    selection = parse(Accounts(), selector, "metadata.namespace=acme-corp")
    assert names(selection) == [f"acme-corp/{name}" for name in expected]


def test_field_selectors_reach_the_name_the_namespace_and_what_the_kind_declares(
    accounts: list[BillingAccount],
) -> None:
    assert names(parse(Accounts(), "", "metadata.name=account-1,metadata.namespace!=gold")) == ["acme-corp/account-1"]
    assert names(parse(Accounts(), "", "status.phase!=Ready")) == ["acme-corp/incomplete", "gold/incomplete"]


def test_a_column_that_is_null_is_an_absent_field(accounts: list[BillingAccount]) -> None:
    first = make.a_binding(make.a_project(accounts[0].organization), accounts[0], "first")

    class Bindings(Kind):
        group, plural = "billing.milo.io", "billingaccountbindings"
        field_selectors = {"spec.supersedes": "supersedes__name"}

    for selector, expected in [("=", True), ("!=nobody", True), ("!=", False), ("=nobody", False)]:
        selection = parse(Bindings(), "", f"spec.supersedes{selector}")
        assert selection.apply(BillingAccountBinding.objects.all()).filter(pk=first.pk).exists() is expected
        assert selection.matches({"metadata": {"name": "first"}, "spec": {}}) is expected


def test_objects_of_a_cluster_scoped_kind_have_an_empty_namespace(accounts: list[BillingAccount]) -> None:
    assert len(names(parse(Clusterwide(), "", "metadata.namespace="))) == len(accounts)
    assert names(parse(Clusterwide(), "", "metadata.namespace=acme-corp")) == []


@pytest.mark.parametrize(
    "selector",
    [
        ",", "a,", ",a", "a b", "a in", "a in x", "a in (x", "a in (x y)", "!a=b", "a=b=c", "a=b c", "-a=b",
        "a=-",
        "a>", "a>b", "a>-5", "a>+5", "a>5.0", "a>1_0", "a>=5", "a<>5", "a<9223372036854775808", "a>5 6", "a in (<)",
        "a=" + "x" * 64, "/a=b", "a/b/c", 'a"=b', "a\0=b", "a=\0", "\N{SNOWMAN}", "a=b," * 50 + "a=b",
        "a" * 5000,
    ],
)  # fmt: skip
def test_a_bad_label_selector_is_refused(selector: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(Accounts(), selector, "")
    assert refusal.value.reason == "BadRequest"
    assert "selector" in refusal.value.message


@pytest.mark.parametrize(
    "selector",
    ["metadata.name", "=", "!=", "metadata.name=a\\b", "metadata.name=a\\", "metadata.name=a=b", "metadata.name=\0"],
)
def test_a_bad_field_selector_is_refused(selector: str) -> None:
    with pytest.raises(Refused, match="field") as refusal:
        parse(Accounts(), "", selector)
    assert refusal.value.reason == "BadRequest"


def test_a_field_that_is_not_selectable_is_refused_by_naming_those_that_are() -> None:
    with pytest.raises(Refused, match=r"metadata\.name, metadata\.namespace, .*status\.phase") as refusal:
        parse(Accounts(), "", "spec.secret=x")
    assert refusal.value.reason == "BadRequest"
