"""The key that signs seals (Ed25519, RFC 8032), and the trusted keys that verify them.

Only development makes a key by itself. Elsewhere a missing one is a mistake of the operator: a second host would sign
with a key that the first does not trust, and after a lost folder nobody could prove the earlier seals.
"""

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from milo import data_folder

PRIVATE = "signing.pem"


class KeyUnusable(Exception):
    """A key is missing, unreadable or of another kind. The message says which one, and what to do."""


def _folder() -> Path:
    return Path(settings.MILO_LEDGER_KEYS)


def signing_key() -> Ed25519PrivateKey:
    """Return the private key of MILO_LEDGER_SIGNING_KEY, or else of `signing.pem` in MILO_LEDGER_KEYS.

    In development a missing one is generated. The public key is kept in that folder as `<id>.pub`, if it can be
    written. Raises `KeyUnusable`.
    """
    if settings.MILO_LEDGER_SIGNING_KEY:
        key = _private(settings.MILO_LEDGER_SIGNING_KEY.encode(), "MILO_LEDGER_SIGNING_KEY")
    else:
        path = _folder() / PRIVATE
        if not path.exists() and data_folder.is_development():
            _generate(path)
        key = _private(_read(path), str(path))
    # a folder that is mounted read-only has what its owner put there
    with suppress(OSError):
        published = _folder() / f"{key_id(key.public_key())}.pub"
        if not published.exists():
            published.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            published.write_text(pem(key.public_key()))
    return key


def new_key() -> str:
    """Return a new private key in PEM. It is not stored."""
    private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Ed25519PrivateKey.generate().private_bytes(*private).decode()


def _generate(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # written completely before it gets its name, and never over the key of another process
    new = path.with_name(f"{PRIVATE}.{os.getpid()}")
    new.touch(0o600)
    new.write_text(new_key())
    with suppress(FileExistsError):
        path.hardlink_to(new)
    new.unlink()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise KeyUnusable(
            f"there is no key to sign the ledger: {path} does not exist, and MILO_LEDGER_SIGNING_KEY is not set. If"
            " this database has seals, give the key of the host that made them; for a new database"
            " `manage.py ledger key` prints a new one (docs/ledger.md, Keys)"
        ) from None
    except OSError as error:
        raise KeyUnusable(f"the key that signs the ledger cannot be read: {error}") from error


def _private(content: bytes, source: str) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{source} must be an Ed25519 private key in PEM without a password (`manage.py ledger key`)")
    return key


def pem(key: Ed25519PublicKey) -> str:
    encoding, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, public).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the raw public key, in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def public_keys() -> dict[str, Ed25519PublicKey]:
    """Return every trusted key by its id: that of the signing key, and the `.pub` files of MILO_LEDGER_KEYS.

    Keep the files of old keys, and of other hosts' keys. A host that only verifies has no signing key. Raises
    `KeyUnusable` for a file that is not a public key.
    """
    known = {}
    if settings.MILO_LEDGER_SIGNING_KEY or (_folder() / PRIVATE).exists():
        own = signing_key().public_key()
        known[key_id(own)] = own
    for path in sorted(_folder().glob("*.pub")):
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnusable(f"{path} is not a public key in PEM: {error}") from error
        if isinstance(key, Ed25519PublicKey):
            known[key_id(key)] = key
    return known


def require_trusted() -> None:
    """Raise `KeyUnusable` unless a key is configured, for signing or for verification, or this is development."""
    if not public_keys() and not data_folder.is_development():
        _read(_folder() / PRIVATE)


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
