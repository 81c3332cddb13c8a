"""Apicurio Registry behind its Confluent-compatible API; it keeps its schemas in PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.jars import cache, classes
from avro_data_contracts.stack.jars.java import java, server_java
from avro_data_contracts.stack.jars.pins import server_versions
from avro_data_contracts.stack.security.roles import ROLES
from avro_data_contracts.stack.servers import postgres
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.shape import Shape
from avro_data_contracts.stack.site import Site

# Ignores HTTP_PROXY: a proxy cannot reach the loopback address.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Registry:
    site: Site
    ports: Mapping[str, int]
    shape: Shape

    name = "registry"
    version = server_versions()["registry"]
    depends_on = ("postgres",)
    port_names = ("registry", "registry-management")
    stop_signal = signal.SIGTERM

    @property
    def address(self) -> str:
        scheme = "https" if self.shape.secure else "http"
        return f"{scheme}://{ports.HOST}:{self.ports['registry']}/apis/ccompat/v7"

    @property
    def executable(self) -> Path:
        return Path(java())

    def prepare(self, steps: Steps) -> None:
        folder = self.site.folder(self.name)
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)
        if self.shape.secure:
            self._access.unlink(missing_ok=True)
            descriptor = os.open(self._access, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(f"{key}={value}\n" for key, value in self._secured().items())

    @property
    def _access(self) -> Path:
        return self.site.folder(self.name) / "access.properties"

    def _secured(self) -> dict[str, object]:
        """Accounts and permissions: `admin` may do everything; the other roles may read, and may also POST to look up
        the id of a schema."""
        api, certificates = "/apis/ccompat/v7", self.site.certificates
        users, by_role = "quarkus.security.users.embedded", "quarkus.http.auth"
        accounts = {f'{users}.users."{role}"': self.site.secrets()[f"registry-{role}"] for role in ROLES}
        rights = {f'{users}.roles."{role}"': "writer" if role == "admin" else "reader" for role in ROLES}
        rules = {
            "all": ("/*", "", "writers"),
            "read": (f"{api}/*", "GET,HEAD", "authenticated"),
            "write": (f"{api}/*", "POST,PUT,DELETE,PATCH", "writers"),
            "read-subject": (f"{api}/subjects/*", "GET,HEAD", "authenticated"),
            "look-up": (f"{api}/subjects/*", "POST", "authenticated"),
            "write-subject": (f"{api}/subjects/*", "PUT,DELETE,PATCH", "writers"),
            "read-versions": (f"{api}/subjects/*/versions/*", "GET,HEAD", "authenticated"),
            "write-versions": (f"{api}/subjects/*/versions/*", "POST,PUT,DELETE,PATCH", "writers"),
        }
        permissions = {}
        for name, (path, methods, policy) in rules.items():
            permissions[f"{by_role}.permission.{name}.paths"] = path
            permissions[f"{by_role}.permission.{name}.policy"] = policy
            if methods:
                permissions[f"{by_role}.permission.{name}.methods"] = methods
        return {
            "quarkus.http.insecure-requests": "disabled",
            "quarkus.http.ssl-port": self.ports["registry"],
            "quarkus.http.ssl.certificate.files": certificates / "registry.crt",
            "quarkus.http.ssl.certificate.key-files": certificates / "registry.key",
            "quarkus.http.auth.basic": "true",
            "quarkus.http.auth.proactive": "true",
            f"{users}.plain-text": "true",
            f"{by_role}.policy.writers.roles-allowed": "writer",
            **accounts,
            **rights,
            **permissions,
        }

    def command(self) -> list[str]:
        database = f"jdbc:postgresql://{ports.HOST}:{self.ports['postgres']}/registry"
        settings: dict[str, Any] = {
            "java.io.tmpdir": str(self.site.folder(self.name) / "tmp"),
            "java.util.logging.manager": "org.jboss.logmanager.LogManager",
            "vertx.disableDnsResolver": "true",
            # The default format has the time zone in the middle of the date.
            "quarkus.log.console.format": "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %p [%c{3.}] (%t) %s%e%n",
            "quarkus.banner.enabled": "false",
            "quarkus.http.host": ports.HOST,
            "quarkus.http.port": self.ports["registry"],
            "quarkus.management.host": ports.HOST,
            "quarkus.management.port": self.ports["registry-management"],
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "postgresql",
            "apicurio.datasource.url": database + postgres.query(self.site, self.shape),
            "apicurio.datasource.username": "registry",
            "apicurio.rules.global.compatibility": "BACKWARD",
        }
        if self.shape.secure:
            settings["smallrye.config.locations"] = self._access.as_uri()
        return [
            *(
                *server_java(),
                "-Xms64m",
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
            ),
            "-XX:+ExitOnOutOfMemoryError",
            *classes.options(self.site, self.name),
            *(f"-D{key}={value}" for key, value in settings.items()),
            *("-jar", str(cache.paths("registry")[0] / "quarkus-run.jar")),
        ]

    def environment(self) -> Mapping[str, str]:
        # Not on the command line, which every account on this machine can read.
        return base_environment() | {"APICURIO_DATASOURCE_PASSWORD": self.site.secrets()["postgres-registry"]}

    def ready(self) -> bool:
        if not ports.is_open(self.ports["registry"]):
            return False
        request = urllib.request.Request(f"{self.address}/subjects")  # noqa: S310 - our own address
        opener = _DIRECT
        if self.shape.secure:
            account = f"admin:{self.site.secrets()['registry-admin']}"
            request.add_header("Authorization", f"Basic {b64encode(account.encode()).decode()}")
            trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.site.authority)))
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trust)
        try:
            with opener.open(request, timeout=5) as answer:
                return isinstance(json.load(answer), list)
        except (OSError, ValueError):
            return False

    def provision(self) -> None:
        """Do nothing: `contracts register` creates the subjects."""

    def exports(self, role: str) -> Mapping[str, str]:
        found = {"SCHEMA_REGISTRY_URL": self.address}
        if self.shape.secure:
            password = self.site.secrets()[f"registry-{role}"]
            found |= {"SCHEMA_REGISTRY_USER": role, "SCHEMA_REGISTRY_PASSWORD": password}
            found |= {"SCHEMA_REGISTRY_CA_FILE": str(self.site.authority)}
        return found
