"""The address of a server, without the account that a URL may contain: only the address is ever shown."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from avro_data_contracts.contracts.errors import ConfigurationError


@dataclass(frozen=True)
class Address:
    """An `http://` or `https://` URL.

    Args:
        url: without an account, and without a slash at its end.
        host: a name or number, in lower case.
        user, password: decoded; empty if the URL has none.
    """

    url: str
    host: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether the address is this machine, which no proxy of the environment can reach."""
        return is_loopback(self.host)

    @classmethod
    def of(cls, url: str, variable: str) -> Address:
        """Parse a URL, the value of the environment variable `variable`.

        Raises:
            ConfigurationError: the URL is invalid.  The message does not repeat it, because it may contain a secret.
        """
        fix = f"set {variable} to one URL such as http://schema-registry:8081"
        try:
            parts = urlsplit(url.strip())
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ConfigurationError("is not a URL: its host or port is invalid", where=variable, fix=fix) from None
        if parts.scheme not in ("http", "https"):
            raise ConfigurationError("does not begin with http:// or https://", where=variable, fix=fix)
        if not host or "," in parts.netloc:
            raise ConfigurationError("has no host" if not host else "is a list", where=variable, fix=fix)
        if parts.query or parts.fragment:
            raise ConfigurationError(f"has a {'?' if parts.query else '#'} in it", where=variable, fix=fix)
        place = parts.netloc.rpartition("@")[2]
        shown = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
        return cls(shown, host, unquote(parts.username or ""), unquote(parts.password or ""))


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or a number, is this machine's loopback."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
