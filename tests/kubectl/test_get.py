"""`kubectl get` in all its forms."""

import json

import yaml

from tests.kubectl.commands import Kubectl
from tests.kubectl.conftest import Acme
from tests.support import make


def test_get_shows_the_columns_that_an_operator_wants(admin: Kubectl, acme: Acme) -> None:
    accounts = admin("get", "billingaccounts").splitlines()
    assert accounts[0].split() == ["NAME", "DISPLAY", "NAME", "PHASE", "CURRENCY", "PROJECTS", "TERMS", "AGE"]
    assert [line.split()[:7] for line in accounts[1:]] == [
        ["eu", "EU", "Ready", "EUR", "0", "Net30", "Monthly"],
        ["labs", "Incomplete", "USD", "0", accounts[2].split()[-1]],
        ["us", "US", "Ready", "USD", "1", "Net30", "Monthly"],
    ]
    assert "spec.paymentProfile is required" in admin("get", "ba", "labs", "-o=wide")
    assert admin("get", "bab").split()[:7] == ["NAME", "PROJECT", "ACCOUNT", "PHASE", "SINCE", "UNTIL", "AGE"]
    assert admin.table("get", "bab", "web-to-us")[0][:4] == ["web-to-us", "web", "us", "Active"]
    project = admin.table("get", "project/web")[0]
    assert (project[:3], project[4]) == (["web", "acme-corp", "us"], "Active")
    assert admin.table("get", "org")[0][-2:-1] == ["Active"]
    assert admin.table("get", "ns")[0][:2] == ["acme-corp", "Active"]


def test_get_gives_an_object_in_every_form(admin: Kubectl, acme: Acme) -> None:
    whole = yaml.safe_load(admin("get", "ba", "us", "-o=yaml"))
    assert whole == json.loads(admin("get", "ba", "us", "-o=json"))
    assert whole["metadata"]["uid"] == str(acme.us.uid)
    assert admin("get", "ba/us", "bab/web-to-us", "project/web", "-o=name").split() == [
        "billingaccount.billing.milo.io/us",
        "billingaccountbinding.billing.milo.io/web-to-us",
        "project.resources.milo.io/web",
    ]
    assert admin("get", "ba", "us", "-o=jsonpath={.spec.currencyCode}") == "USD"
    assert admin("get", "ba", "-o=custom-columns=N:.metadata.name,P:.status.phase").split() == [
        *("N", "P", "eu", "Ready", "labs", "Incomplete", "us", "Ready")
    ]
    template = "{{range .items}}{{.metadata.name}} {{end}}"
    assert admin("get", "ba", f"-o=go-template={template}") == "eu labs us "
    assert "us" in admin("get", "ba", "us", "--subresource=status")
    assert admin("get", "billingaccounts.v1alpha1.billing.milo.io", "us", "-o=name") == (
        "billingaccount.billing.milo.io/us\n"
    )


def test_get_all_shows_what_lives_in_the_namespace(admin: Kubectl, acme: Acme) -> None:
    everything = admin("get", "all", "-o=name").split()
    assert set(everything) == {
        *(f"billingaccount.billing.milo.io/{name}" for name in ("eu", "labs", "us")),
        "billingaccountbinding.billing.milo.io/web-to-us",
    }
    assert {"project.resources.milo.io/web", "organization.resources.milo.io/acme-corp", *everything} == set(
        admin("get", "milo", "-o=name").split()
    )


def test_get_reaches_over_kinds_and_organizations_as_far_as_the_person_may_see(
    operator: Kubectl, viewer: Kubectl, acme: Acme
) -> None:
    make.a_ready_account(make.an_organization("other-org"), "main")
    assert [row[:2] for row in operator.table("get", "ba", "-A")] == [
        ["acme-corp", "eu"],
        ["acme-corp", "labs"],
        ["acme-corp", "us"],
        ["other-org", "main"],
    ]
    assert [row[0] for row in viewer.table("get", "ba", "-A")] == ["acme-corp"] * 3
    assert operator("get", "ba", "-n=other-org", "-o=name") == "billingaccount.billing.milo.io/main\n"
    assert operator("get", "milo", "-o=name").split() == [
        "organization.resources.milo.io/acme-corp",
        "organization.resources.milo.io/other-org",
        "project.resources.milo.io/web",
        "billingaccount.billing.milo.io/eu",
        "billingaccount.billing.milo.io/labs",
        "billingaccount.billing.milo.io/us",
        "billingaccountbinding.billing.milo.io/web-to-us",
    ]
    assert viewer("get", "org,ns", "-o=name").split() == [
        "organization.resources.milo.io/acme-corp",
        "namespace/acme-corp",
    ]


def test_get_selects_sorts_and_pages(admin: Kubectl, acme: Acme) -> None:
    admin("label", "ba", "us", "region=us", "tier=gold")
    admin("label", "ba", "eu", "region=eu")
    assert admin.table("get", "ba", "-l", "region=us")[0][0] == "us"
    named = ("-o=jsonpath={.items[*].metadata.name}",)
    assert admin("get", "ba", "-l", "region in (us,eu)", *named) == "eu us"
    assert admin("get", "ba", "-l", "region,tier!=gold", *named) == "eu"
    assert admin("get", "ba", "-l", "!region", *named) == "labs"
    assert admin("get", "ba", "--field-selector=status.phase=Ready,spec.currencyCode!=EUR", *named) == "us"
    assert admin("get", "bab", "--field-selector=spec.projectRef.name=web", *named) == "web-to-us"
    assert admin("get", "ba", "--field-selector=metadata.name=eu", *named) == "eu"
    assert admin.table("get", "ba", "-l", "tier", "--show-labels")[0][-1] == "region=us,tier=gold"
    assert [row[-1] for row in admin.table("get", "ba", "-l", "region", "-L", "region")] == ["eu", "us"]
    assert [row[0] for row in admin.table("get", "ba", "--sort-by=.spec.currencyCode")] == ["eu", "labs", "us"]
    assert [row[0] for row in admin.table("get", "ba", "--chunk-size=1")] == ["eu", "labs", "us"]
    assert "is not selectable; selectable are" in admin.refused("get", "ba", "--field-selector=spec.displayName=US")


def test_get_raw_reads_any_address(admin: Kubectl, acme: Acme) -> None:
    page = json.loads(admin("get", "--raw", "/apis/billing.milo.io/v1alpha1/billingaccounts?limit=1"))
    assert [item["metadata"]["name"] for item in page["items"]] == ["eu"]
    assert page["metadata"]["continue"]
    history = json.loads(admin("get", "--raw", "/apis/resources.milo.io/v1alpha1/projects/web/billinghistory"))
    assert [item["account"] for item in history["items"]] == ["us"]
