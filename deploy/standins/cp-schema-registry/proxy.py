"""An HTTP proxy from Confluent's paths to Apicurio's, with TLS and accounts if they are asked for."""

from __future__ import annotations

import base64
import hmac
import http.client
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/apis/ccompat/v7"
KEPT = ("Content-Type", "Accept")


class Proxy(ThreadingHTTPServer):
    """Listens on all addresses.

    Args:
        port: port to listen on.
        inner: Apicurio's port on the loopback address.
        accounts: password of each user; empty: everybody may do everything.
    """

    daemon_threads = True

    def __init__(self, port: int, inner: int, accounts: dict[str, str]):
        self.inner = inner
        self.accounts = accounts
        super().__init__(("0.0.0.0", port), Handler)

    def speak_tls(self, keystore: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keystore)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.allowed():
            self.answer(401, b'{"error_code": 401, "message": "Unauthorized"}', {"WWW-Authenticate": "Basic"})
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.inner, timeout=60)
        kept = {name: self.headers[name] for name in KEPT if name in self.headers}
        try:
            connection.request(self.command, PREFIX + self.path, body or None, kept)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            self.answer(503, f'{{"error_code": 50302, "message": "{error}"}}'.encode(), {})
            return
        finally:
            connection.close()
        self.answer(answer.status, text, {"Content-Type": answer.headers.get("Content-Type", "application/json")})

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_any  # noqa: N815

    def allowed(self) -> bool:
        if not self.server.accounts:
            return True
        kind, _, encoded = (self.headers.get("Authorization") or "").partition(" ")
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return False
        known = self.server.accounts.get(user)
        return kind == "Basic" and known is not None and hmac.compare_digest(known.encode(), password.encode())

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the path of a request can contain a name."""
