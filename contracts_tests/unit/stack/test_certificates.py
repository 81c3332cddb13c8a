"""`make certs`: certificates that TLS clients accept for the right name only, in private files."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from avro_data_contracts.deploy import certs
from avro_data_contracts.stack.errors import UsageError
from avro_data_contracts.stack.security import certificates

HOSTS = {"broker": ("broker", "localhost", "127.0.0.1"), "admin": ()}
REGISTRY_PASSWORDS = {
    f"DEPLOY_REGISTRY_{user}_PASSWORD": f"pw-{user}"
    for user in ("REGISTER", "PRODUCER", "STREAM", "AIRFLOW", "CONTROL_CENTER")
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certs")
    certificates.make(made, HOSTS, days=30)
    return made


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict[str, object] | None:
    """Return the client certificate as the server sees it.  Raises ssl.SSLError if the client refuses the server."""
    ours, theirs = socket.socketpair()
    known: list[dict[str, object] | None] = []

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as accepted:
                known.append(accepted.getpeercert())
                accepted.sendall(b"x")
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as connected:
            assert connected.recv(1) == b"x"
    finally:
        ours.close()
        thread.join(10)
    return known[0]


def contexts(folder: Path, ca: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "broker.pem")
    server.load_verify_locations(folder / "ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=ca)
    client.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    return server, client


@pytest.mark.parametrize("name", ["broker", "localhost", "127.0.0.1"])
def test_server_and_client_accept_each_other(folder: Path, name: str):
    known = handshake(*contexts(folder, folder / "ca.pem"), name)
    assert known is not None
    assert known["subject"] == ((("commonName", "admin"),),)


def test_wrong_host_name_and_foreign_authority_are_refused(folder: Path, tmp_path: Path):
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(*contexts(folder, folder / "ca.pem"), "cassandra")
    certificates.make(tmp_path, HOSTS, days=30)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        handshake(*contexts(folder, tmp_path / "ca.pem"), "broker")


def test_files_are_private_and_the_authority_key_is_discarded(folder: Path):
    names = {path.name for path in folder.iterdir()}
    assert names == {"ca.pem", *(f"{name}.{kind}" for name in HOSTS for kind in ("key", "crt", "pem"))}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert "PRIVATE KEY" not in (folder / "ca.pem").read_text()
    assert 29 < certificates.days_left(folder / "ca.pem") < 31


@pytest.mark.parametrize("days", [0, 826])
def test_days_outside_the_limits_are_refused(tmp_path: Path, days: int):
    with pytest.raises(UsageError, match="1 to 825"):
        certificates.make(tmp_path, HOSTS, days=days)


def test_certs_creates_every_file_the_secure_overlay_mounts(tmp_path: Path):
    with pytest.raises(UsageError, match="make certs"):
        certs.demand(tmp_path)
    with pytest.raises(UsageError, match="not set: DEPLOY_REGISTRY_STREAM_PASSWORD\n"):
        certs.make({k: v for k, v in REGISTRY_PASSWORDS.items() if "STREAM" not in k}, days=30, folder=tmp_path)
    certs.make(REGISTRY_PASSWORDS, days=30, folder=tmp_path)
    certs.demand(tmp_path)
    assert "control-center: pw-CONTROL_CENTER,user\n" in (tmp_path / "users.properties").read_text()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    (tmp_path / "users.properties").rename(tmp_path / "users")
    with pytest.raises(UsageError, match=r"missing files: users\.properties"):
        certs.demand(tmp_path)
    (tmp_path / "users").unlink()
    # New certificates replace the old ones.
    before = (tmp_path / "ca.pem").read_bytes()
    certs.make(REGISTRY_PASSWORDS, days=1, folder=tmp_path)
    assert (tmp_path / "ca.pem").read_bytes() != before


def test_expiring_certificates_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    certs.make(REGISTRY_PASSWORDS, days=30, folder=tmp_path)
    monkeypatch.setattr(certificates, "days_left", lambda _: 0.5)
    with pytest.raises(UsageError, match="the certificates expire"):
        certs.demand(tmp_path)
