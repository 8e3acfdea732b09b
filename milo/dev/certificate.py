"""The certificate of the development server. Over plain HTTP kubectl drops the bearer token silently."""

from dataclasses import dataclass
from pathlib import Path

import trustme

from milo.dev.files import write_secret


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: clients trust `authority`; `server` has the key and the chain."""

    authority: Path
    server: Path


def development_certificate(folder: Path) -> Certificate:
    """Return the certificate for localhost, kept in `folder`; create it and its authority if missing."""
    certificate = Certificate(folder / "ca.pem", folder / "server.pem")
    if not (certificate.authority.exists() and certificate.server.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA(organization_name="Milo development")
        issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
        write_secret(certificate.server, issued.private_key_and_cert_chain_pem.bytes().decode())
        authority.cert_pem.write_to_path(certificate.authority)
    return certificate
