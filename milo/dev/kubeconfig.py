"""The kubeconfig of the sample users: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/"""

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml

from milo.dev.files import write_secret


def write_kubeconfig(path: Path, server: str, authority: Path, tokens: Mapping[str, str], namespace: str) -> None:
    """Write a context for each user of `tokens`, with the certificate authority; the first user is the current one."""
    trusted = base64.b64encode(authority.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "milo", "cluster": {"server": server, "certificate-authority-data": trusted}}],
        "users": [{"name": name, "user": {"token": token}} for name, token in tokens.items()],
        "contexts": [
            {"name": name, "context": {"cluster": "milo", "user": name, "namespace": namespace}} for name in tokens
        ],
        "current-context": next(iter(tokens)),
    }
    write_secret(path, yaml.safe_dump(config, sort_keys=False))
