"""The key that signs seals (Ed25519, RFC 8032), and the trusted keys that verify them."""

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

PRIVATE = "signing.pem"


def _folder() -> Path:
    return Path(settings.MILO_LEDGER_KEYS)


def signing_key() -> Ed25519PrivateKey:
    """Return the private key, generated at first use. Its public key is written beside it as `<id>.pub`."""
    path = _folder() / PRIVATE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        # written completely before it gets its name, and never over the key of another process
        new = path.with_name(f"{PRIVATE}.{os.getpid()}")
        new.touch(0o600)
        new.write_bytes(Ed25519PrivateKey.generate().private_bytes(*private))
        with suppress(FileExistsError):
            path.hardlink_to(new)
        new.unlink()
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    published = _folder() / f"{key_id(key.public_key())}.pub"
    if not published.exists():
        published.write_text(pem(key.public_key()))
    return key


def pem(key: Ed25519PublicKey) -> str:
    encoding, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, public).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the raw public key, in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def public_keys() -> dict[str, Ed25519PublicKey]:
    """Return every trusted key by its id: the `.pub` files of MILO_LEDGER_KEYS. Keep those of old keys."""
    known = {}
    for path in sorted(_folder().glob("*.pub")):
        key = serialization.load_pem_public_key(path.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            known[key_id(key)] = key
    return known


def sign(digest: str) -> tuple[str, str]:
    """Return the id of the key, and the signature of a hexadecimal digest in Base64."""
    key = signing_key()
    return key_id(key.public_key()), base64.b64encode(key.sign(bytes.fromhex(digest))).decode()


def is_signed(digest: str, signature: str, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(base64.b64decode(signature), bytes.fromhex(digest))
    except (InvalidSignature, ValueError):
        return False
    return True
