"""`kubectl auth`, and what those who may not do or see something are told."""

import pytest

from billing.models import BillingAccount
from milo.kube.models import Change
from tests.kubectl.commands import ACCOUNT, Kubectl
from tests.kubectl.conftest import Acme
from tests.support import make
from tests.support.live import Live

pytestmark = pytest.mark.once


def test_auth_answers_from_the_access_table(admin: Kubectl, viewer: Kubectl, operator: Kubectl) -> None:
    assert "acme-corp:billing-admin" in admin("auth", "whoami")
    assert admin("auth", "can-i", "create", "ba") == "yes\n"
    assert admin("auth", "can-i", "create", "projects/web", "--subresource=archive") == "yes\n"
    assert viewer("auth", "can-i", "list", "bab") == "yes\n"
    done = viewer.live.kubectl(viewer.config, "auth", "can-i", "create", "bab")
    assert (done.stdout, done.returncode) == ("no\n", 1)
    other = admin.live.kubectl(admin.config, "auth", "can-i", "get", "ba", "-n=other-org")
    assert (other.stdout, other.returncode) == ("no\n", 1)
    rules = {line.split()[0]: line for line in viewer("auth", "can-i", "--list", "--no-headers").splitlines()}
    assert "[get list watch]" in rules["billingaccounts.billing.milo.io"]
    assert "projects.resources.milo.io/archive" not in rules
    assert "projects.resources.milo.io/archive" in operator("auth", "can-i", "--list")


def test_who_may_only_read_writes_nothing(viewer: Kubectl, acme: Acme) -> None:
    revisions = Change.objects.count()
    assert "(Forbidden)" in viewer.refused("create", "-f-", stdin=ACCOUNT)
    assert "(Forbidden)" in viewer.refused("label", "ba", "us", "tier=gold")
    assert "(Forbidden)" in viewer.refused("patch", "project", "web", "--type=merge", "-p={}")
    assert "(Forbidden)" in viewer.refused(
        "create", "--raw", "/apis/resources.milo.io/v1alpha1/projects/web/archive", "-f-", stdin="{}"
    )
    assert "(Forbidden)" in viewer.refused("create", "ns", "new-org")
    assert "impersonation is not supported" in viewer.refused("--as=operator", "get", "ba")
    assert Change.objects.count() == revisions


def test_what_is_foreign_answers_as_what_is_missing(live: Live, acme: Acme) -> None:
    stranger = Kubectl.of(live, make.a_person("stranger", roles={make.an_organization("other-org"): "billing-admin"}))
    # kubectl asks for the namespace after any 404
    missing = 'Error from server (NotFound): namespaces "acme-corp" not found\n'
    assert stranger.refused("get", "ba", "us") == stranger.refused("get", "ba", "nothing") == missing
    assert 'namespaces "acme-corp" not found' in stranger.refused("get", "ba")
    assert 'namespaces "nowhere" not found' in stranger.refused("get", "ba", "-n=nowhere")
    assert 'projects.resources.milo.io "web" not found' in stranger.refused("get", "project", "web")
    assert "not found" in stranger.refused("create", "-f-", stdin=ACCOUNT)
    assert stranger("get", "project,org,ns", "-o=name").split() == [
        "organization.resources.milo.io/other-org",
        "namespace/other-org",
    ]
    assert not BillingAccount.objects.filter(name="asia").exists()


def test_an_unknown_token_is_told_to_log_in(live: Live, acme: Acme) -> None:
    person = make.a_person("nobody")
    forger = Kubectl(live, live.kubeconfig(person, token="forged"))
    assert "You must be logged in to the server" in forger.refused("get", "ba")


def test_whether_usage_may_be_reported_is_answered_by_either_name(live: Live, operator: Kubectl) -> None:
    meter = Kubectl.of(live, make.a_person("meter", groups=("usage-reporter",)))
    for name in ("usageevents.usage.milo.io", "events.usage.milo.io", "usageevents"):
        assert meter("auth", "can-i", "create", name) == "yes\n"
        done = operator.live.kubectl(operator.config, "auth", "can-i", "create", name)
        assert (done.returncode, done.stdout) == (1, "no\n")
    assert "events.usage.milo.io" in meter("auth", "can-i", "--list")
    assert "events.usage.milo.io" not in operator("auth", "can-i", "--list")
