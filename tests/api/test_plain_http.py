"""The API without TLS, where TLS is asked for: refused without a redirect, whatever token is sent."""

from typing import Any

import pytest
from django.test import Client

from tests.api.client import ACCOUNTS, Api, nothing_changes
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/version", "/apis", "/openapi/v3", ACCOUNTS])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_is_refused_without_a_redirect(path: str, method: str, settings: Any) -> None:
    # a handler of its own: Django reads the setting when it loads the middleware
    api = Api(Api.of(make.a_person(groups=("finance-operator",))).secret, Client())
    settings.SECURE_SSL_REDIRECT = True
    with nothing_changes():
        answer = api.call(method, path, {})
    answer.refused(403, "Forbidden")
    assert "Location" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


def test_answers_are_kept_by_no_cache() -> None:
    organization = make.an_organization("acme-corp")
    api = Api.of(make.a_person(roles={organization: "billing-viewer"}))
    assert api.get(ACCOUNTS).headers["Cache-Control"] == "no-store"
    assert api.get(f"{ACCOUNTS}/none").headers["Cache-Control"] == "no-store"
    tag = api.get(ACCOUNTS).headers["ETag"]
    assert api.get(ACCOUNTS, If_None_Match=tag).code == 304
