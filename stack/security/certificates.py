"""TLS certificates: an authority of our own, and one certificate for each name.  All files are PEM."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from avro_data_contracts.stack.errors import UsageError

# Some clients refuse a server's certificate that is valid for longer.
MOST_DAYS = 825


def make(folder: Path, hosts: Mapping[str, Sequence[str]], *, days: int = 397) -> None:
    """Create a new authority and a certificate for each name, replacing those in `folder`.

    `ca.pem` is the authority.  Each NAME gets `NAME.key` and `NAME.crt`, and `NAME.pem` with both, which Kafka and
    Cassandra read.  All files have mode 0600.  The authority's key is not kept, so nobody can sign with it later.

    Args:
        hosts: host names and addresses of each name; empty for a pure client.  The name is the certificate's subject
            (`CN=NAME`), by which Kafka knows its owner.
        days: how long the certificates are valid.
    Raises:
        UsageError: `days` is out of range.
    """
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(
            f"certificates cannot be valid for {days} days", where="--days", fix=f"choose 1 to {MOST_DAYS} days"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Start a day earlier, because clocks differ.
    begin = datetime.now(UTC) - timedelta(days=1)
    end = begin + timedelta(days=days + 1)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _named("avro-data-contracts authority")
    ca = (
        _unsigned(ca_name, ca_name, ca_key, begin, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    _write(folder / "ca.pem", ca.public_bytes(Encoding.PEM))
    for name, reached_by in hosts.items():
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = (
            _unsigned(_named(name), ca_name, key, begin, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        if reached_by:
            names = x509.SubjectAlternativeName([_alternative(host) for host in reached_by])
            unsigned = unsigned.add_extension(names, critical=False)
        certificate = unsigned.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(folder / f"{name}.key", private)
        _write(folder / f"{name}.crt", certificate)
        _write(folder / f"{name}.pem", private + certificate + ca.public_bytes(Encoding.PEM))


def days_left(path: Path) -> float:
    """Days until the certificate in a PEM file expires; negative if it has."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically; other accounts cannot read it at any moment."""
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    half.replace(path)
