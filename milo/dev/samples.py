"""The sample manifests, applied through the HTTP API as any client would."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

TIMEOUT = 30


class Client:
    """A bearer of `token` at `server` (https://host:port), whose certificate `authority` has signed."""

    def __init__(self, server: str, authority: Path, token: str) -> None:
        self.server = server
        self.tls = ssl.create_default_context(cafile=str(authority))
        self.token = token

    def ask(self, method: str, path: str, manifest: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of the answer. Raises OSError where there is no answer."""
        request = Request(  # noqa: S310  the address is our own server's
            self.server + path,
            method=method,
            data=json.dumps(manifest).encode() if manifest else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=TIMEOUT, context=self.tls) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def answers(self) -> bool:
        """Whether the server is up."""
        try:
            return self.ask("GET", "/livez")[0] == 200
        except OSError:
            return False


def collection(manifest: dict[str, Any]) -> str:
    """The path of the collection that `manifest` belongs to."""
    namespace = manifest["metadata"].get("namespace")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{manifest['apiVersion']}{within}/{manifest['kind'].lower()}s"


def apply_samples(folder: Path, client: Client) -> Iterator[str]:
    """Create every object of `folder` that is not there, file by file; yields a line for each that is refused.

    What is there stays as it is: it belongs to whoever has worked with it since.
    """
    for path in sorted(folder.glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            name, at = manifest["metadata"]["name"], collection(manifest)
            status, answer = client.ask("GET", f"{at}/{name}")
            if status == 404:
                status, answer = client.ask("POST", at, manifest)
            if status not in (200, 201):
                yield f"{path.name}: {manifest['kind']} {name}: {answer.get('message', status)}"
