"""`make up-production`, run as a person runs it: nginx with TLS, and two of each process, until Ctrl-C."""

import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import orjson
import psutil
import pytest

from soak.processes import free_port
from tests.test_soak import ROOT, requires_postgresql

START_WITHIN, STOP_WITHIN = 240.0, 60.0


@pytest.mark.once
@pytest.mark.slow  # it makes a database, and starts ten processes
@pytest.mark.xdist_group("faults")
def test_it_is_served_as_deployed_until_it_is_interrupted() -> None:
    requires_postgresql()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="milo-production-") as made:
        Path(made).chmod(0o755)
        folder, output = Path(made, "production"), Path(made, "output")
        command = [sys.executable, "-u", "-m", "soak.production", "--port", str(port), "--folder", str(folder)]
        with output.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        try:
            end = time.monotonic() + START_WITHIN
            while "Milo is ready" not in output.read_text():
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < end, output.read_text()
                time.sleep(0.2)
            children = psutil.Process(process.pid).children()
            trust = ssl.create_default_context(cafile=str(folder / "tls" / "ca.pem"))
            headers = {"Authorization": "Bearer " + orjson.loads((folder / "tokens.json").read_bytes())["operator"]}
            with httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=30) as client:
                assert "[+]migrations ok" in client.get("/readyz?verbose").text
                # for scrapers inside
                assert client.get("/metrics").status_code == 404
                assert client.get("/admin/login/").headers["Strict-Transport-Security"]
                listed = client.get("/apis/billing.milo.io/v1alpha1/billingaccounts", headers=headers)
                assert listed.json()["kind"] == "BillingAccountList"
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_WITHIN) == 0
        finally:
            process.kill()
        assert len(children) == 9  # PostgreSQL, Redis, nginx, and two of web, worker and beat
        assert [child for child in children if child.is_running()] == []
        assert output.read_text().endswith("Milo has stopped.\n")
