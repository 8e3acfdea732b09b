"""The pages for people who read the API in a browser."""

import re

from django.test import Client


def test_the_docs_show_everything_from_files_of_this_server_alone(client: Client) -> None:
    page = client.get("/apis/docs")
    assert page.status_code == 200
    script = client.get("/apis/docs?script=")
    assert "/openapi/v3/all" in script.content.decode()
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert len(assets) == 5
    for asset in assets:
        answer = client.get(asset)
        assert answer.status_code == 200, asset
    assert not re.search(r"https?://", page.content.decode() + script.content.decode())
    assert '"validatorUrl": null' in script.content.decode()


def test_strangers_may_read_the_docs_and_learn_nothing_of_any_object(client: Client) -> None:
    assert client.get("/apis/docs").status_code == 200
    assert client.get("/apis/billing.milo.io/v1alpha1/billingaccounts").status_code == 401


def test_the_docs_run_scripts_of_this_server_alone(client: Client) -> None:
    for address in ("/apis/docs", "/apis/docs?script="):
        policy = client.get(address)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
