"""A Java trust store of the certificates that this machine trusts.

A packaged Java runtime trusts only its own list, so it would refuse a TLS-inspecting proxy that the machine trusts.
"""

from __future__ import annotations

import os
import ssl
import warnings
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from avro_data_contracts.stack.errors import UsageError

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
PASSWORD = "changeit"  # noqa: S105 - Java's default; the store holds only public certificates


def trusted_certificates() -> list[bytes]:
    """The trusted authorities in DER form: certifi's, the system's, and those that the environment names.

    Raises:
        UsageError: a variable names a file that is missing or contains no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    for bundle in _SYSTEM_BUNDLES:
        if os.path.exists(bundle):
            context.load_verify_locations(bundle)
    for variable in VARIABLES:
        bundle = os.environ.get(variable, "")
        # REQUESTS_CA_BUNDLE may name a folder of hashed files: the system's certificates, which are loaded already.
        if not bundle or os.path.isdir(bundle):
            continue
        try:
            context.load_verify_locations(bundle)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{variable} does not name a readable file of certificates ({error.strerror or error})",
                where=bundle,
                fix=f"correct {variable} or unset it",
            ) from None
    return context.get_ca_certs(binary_form=True)


def write_truststore(path: Path) -> None:
    """Write a PKCS#12 trust store; leaves out certificates that cannot be parsed."""
    entries = []
    for number, der in enumerate(trusted_certificates()):
        try:
            with warnings.catch_warnings():  # some old authorities have the serial number zero
                warnings.simplefilter("ignore")
                certificate = x509.load_der_x509_certificate(der)
        except ValueError:
            continue
        entries.append(pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode()))
    path.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(PASSWORD.encode())))


def java_options(path: Path) -> list[str]:
    """Flags that make a Java process trust the store at `path`."""
    return [
        f"-Djavax.net.ssl.trustStore={path}",
        f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
    ]
