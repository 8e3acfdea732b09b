"""Asking on a project's page for a correction of its payer: sums before and after, and only then the request."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccountBinding, PayerCorrection
from tests.admin.browser import errors, filled_in, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.make import approve
from tests.support.usage import an_event, taken


@pytest.fixture
def wrong(world: World) -> dict[str, Any]:
    """What to fill in: us should have paid since eu pays, until now, with a second of usage."""
    began = world.second.established_at
    taken(an_event(world.project, "5", time=began))
    span = {"since": began.isoformat(), "until": timezone.now().isoformat()}
    return {"account": world.us.pk, "justification": "bound by mistake", "currency_differs": "on", **span}


def test_a_preview_shows_sums_before_and_after_and_asks_for_nothing(
    world: World, operator: Client, wrong: dict[str, Any]
) -> None:
    address = page_of(world.project, "correct-payer")
    with nothing_changes():
        page = operator.post(address, filled_in(operator.get(address), **wrong))
    preview = dict(page.context["preview"])
    assert preview["Should have paid"] == "acme-us"
    assert "acme-eu: compute cpu-time: 5 \N{RIGHTWARDS ARROW} 0 s" in preview["Sums before and after"]
    assert "acme-us: compute cpu-time: 0 \N{RIGHTWARDS ARROW} 5 s" in preview["Sums before and after"]
    assert "acme-eu" in preview["Who pays for this time now"]


def test_a_confirmed_preview_asks_a_second_person_and_the_timeline_shows_the_correction(
    world: World, operator: Client, wrong: dict[str, Any]
) -> None:
    answer = submit(operator, page_of(world.project, "correct-payer"), **wrong)
    request = ApprovalRequest.objects.get()
    assert answer.headers["Location"] == page_of(request)
    assert (request.act, request.phase, request.account) == ("CorrectPayer", "Pending", world.us)
    assert not PayerCorrection.objects.exists()
    approve(request.pk, actor=make.APPROVER)
    page = operator.get(page_of(world.project)).content.decode()
    assert "Corrections of the payer" in page
    assert request.name in page
    # instants of messages are in the format of the person, too
    for address in (page_of(world.us, "timeline"), page_of(request), page_of(world.project, "history")):
        assert not re.search(r"from [0-9-]+T[0-9:.]+", operator.get(address).content.decode()), address
    paid_on = operator.get(page_of(world.project), {"paidOn": wrong["since"]}).content.decode()
    assert f"corrected by {request.name}" in paid_on
    assert BillingAccountBinding.objects.paying().get(project=world.project) == world.second


def test_what_cannot_be_corrected_is_refused_at_its_field(
    world: World, operator: Client, wrong: dict[str, Any]
) -> None:
    early = (world.project.created_at - timedelta(days=1)).isoformat()
    answers = {**wrong, "since": early}
    answers.pop("currency_differs")
    with nothing_changes():
        page = submit(operator, page_of(world.project, "correct-payer"), **answers)
    assert {"since", "currency_differs"} <= set(errors(page))
