"""Create the sample objects through the HTTP API, like any client."""

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
    """A client with `token` for `server` (https://host:port), whose certificate is signed by `authority`."""

    def __init__(self, server: str, authority: Path, token: str) -> None:
        self.server = server
        self.tls = ssl.create_default_context(cafile=str(authority))
        self.token = token

    def fetch(
        self, method: str, path: str, manifest: Any = None, media_type: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of the answer. Raises OSError if there is none."""
        request = Request(  # noqa: S310  the URL is that of our own server
            self.server + path,
            method=method,
            data=json.dumps(manifest).encode() if manifest else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": media_type},
        )
        try:
            with urlopen(request, timeout=TIMEOUT, context=self.tls) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def answers(self) -> bool:
        """Return whether the server is up."""
        try:
            return self.fetch("GET", "/livez")[0] == 200
        except OSError:
            return False


def collection(manifest: dict[str, Any]) -> str:
    """Return the path of the collection of `manifest`."""
    namespace = manifest["metadata"].get("namespace")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{manifest['apiVersion']}{within}/{manifest['kind'].lower()}s"


def apply_samples(folder: Path, client: Client) -> Iterator[str]:
    """Create every missing object of `folder`, file by file. Yield a line for each refusal.

    Existing objects are not changed, because somebody may have worked with them since.
    """
    for path in sorted(folder.glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            name, at = manifest["metadata"]["name"], collection(manifest)
            status, answer = client.fetch("GET", f"{at}/{name}")
            if status == 404:
                status, answer = client.fetch("POST", at, manifest)
            if status not in (200, 201):
                yield f"{path.name}: {manifest['kind']} {name}: {answer.get('message', status)}"
