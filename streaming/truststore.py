"""Converts an authority's PEM file to a trust store for Java's drivers, in a folder of this process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from avro_data_contracts.contracts.errors import ConfigurationError

PASSWORD = "changeit"  # noqa: S105 - Java's own default: the store holds no secret, only public certificates


def of(ca_file: str, variable: str) -> Path:
    """Return a PKCS#12 store of the certificates in `ca_file`; it exists until this process ends.

    Raises:
        ConfigurationError: `ca_file`, the value of `variable`, cannot be read.
    """
    try:
        certificates = x509.load_pem_x509_certificates(Path(ca_file).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot be read ({getattr(error, 'strerror', None) or 'it is not PEM'})",
            where=ca_file,
            fix=f"set {variable} to the authority's certificate, a PEM file",
        ) from None
    entries = [pkcs12.PKCS12Certificate(one, f"ca-{number}".encode()) for number, one in enumerate(certificates)]
    folder = Path(tempfile.mkdtemp(prefix="truststore-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = folder / "authority.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(PASSWORD.encode())))
    return store
