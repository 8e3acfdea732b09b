"""Text of customers is text on every page, never markup."""

import re

import pytest
from django.test import Client

from billing.services.accounts import AccountSpec, revise
from billing.services.holds import set_hold
from billing.services.suspensions import suspend
from milo.kube.metadata import Metadata
from projects.services.organizations import OrganizationSpec, revise_organization
from projects.services.projects import ProjectSpec, revise_project
from tests.admin.browser import every_act, every_page, superuser
from tests.admin.conftest import World
from tests.support import make

pytestmark = pytest.mark.usefixtures("life")
SCRIPT = '<script>alert("x")</script>'


@pytest.mark.slow
@pytest.mark.once  # a text is shown alike wherever it was kept
def test_every_page_and_act_opens_and_none_runs_a_script_that_somebody_typed(world: World) -> None:
    metadata = Metadata(annotations={"note": SCRIPT})
    revise_organization(world.organization.pk, OrganizationSpec(SCRIPT), metadata, actor=make.PLATFORM)
    revise_project(world.project.pk, ProjectSpec(SCRIPT), metadata, actor=make.PLATFORM)
    for account in (world.us, world.eu):
        spec = AccountSpec(SCRIPT, account.currency_code, make.TERMS, {"creditCard": {"cardReference": SCRIPT}})
        revise(account.pk, spec, metadata, actor=make.PLATFORM)
    suspend(world.us.pk, reason_code="Chargeback", message=SCRIPT, internal_note=SCRIPT, actor=make.PLATFORM)
    set_hold(world.us.pk, type="LegalHold", message=SCRIPT, actor=make.PLATFORM)
    client: Client = superuser()
    shown = 0
    for address in [*every_page(), *every_act(), "/admin/login/"]:
        page = client.get(address, follow=True)
        assert page.status_code == 200, address
        text = page.content.decode()
        assert SCRIPT not in text, address
        shown += "&lt;script&gt;alert" in text
        policy = page.headers["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval';" in policy, address
        assert "default-src 'self'" in policy, address
        for script in re.findall(r"<script\b([^>]*)>", text):
            assert " src=" in script, (address, script)
    assert shown >= 6
