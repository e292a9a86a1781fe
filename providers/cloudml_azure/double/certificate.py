"""A certificate for the hosts that the double stands for, and the authority that clients have to trust for it."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS = 30
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that name what is trusted already; it stays trusted."""


def issue(folder: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Make a certificate for *hosts*; the file of the server's chain and key, and that of all that is to be trusted."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = _name("cloudml double"), _name("cloudml double's server")
    root = _certificate(root_name, root_name, root_key.public_key(), root_key, _of_authority(root_key))
    names = [x509.IPAddress(ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in hosts]
    extensions = _of_server(root_key, x509.SubjectAlternativeName(names))
    leaf = _certificate(name, root_name, key.public_key(), root_key, extensions)
    server, trusted = folder / "server.pem", folder / "trusted.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.write_bytes(private + leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM))
    trusted.write_bytes(_trusted() + b"\n" + root.public_bytes(Encoding.PEM))
    return server, trusted


def _trusted() -> bytes:
    """What is trusted on this machine now."""
    places = [os.environ.get(name, "") for name in BUNDLES]
    places.append(ssl.get_default_verify_paths().cafile or "")
    file = next((Path(place) for place in places if place and Path(place).is_file()), None)
    if file is None:
        import certifi

        file = Path(certifi.where())
    return file.read_bytes()


def _name(common: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _of_authority(key: Any) -> list[tuple[Any, bool]]:
    from cryptography import x509

    uses = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    return [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(key_cert_sign=True, crl_sign=True, **uses), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]


def _of_server(root_key: Any, names: Any) -> list[tuple[Any, bool]]:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return [
        (names, False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False),
    ]


def _certificate(name: Any, issuer: Any, public: Any, signer: Any, extensions: list[tuple[Any, bool]]) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())
