"""Fetches a replica's thumbnail for the console's own pages, so that a browser never asks a vendor's host.

The address comes from upstream and is not trusted: only pictures and short videos, at most 20 MB, only public addresses
(or the API's own host), no redirects, and none of our credentials. The connection goes to the very address that was
checked, so that a name can't mean another one a moment later.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

LIMIT = 20 * 1024 * 1024  # bytes
KINDS = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/mp4", "video/webm")
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 in IPv6, by a translator
PATIENCE = 5.0  # seconds for the connection, and for each piece
LONGEST = 20.0  # seconds for all of it


class NoPicture(Exception):
    """The thumbnail can't be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's bytes and their media type (one of KINDS)."""

    content: bytes
    media_type: str


def fetch(url: str, api_url: str) -> Picture:
    """The picture behind `url`. api_url: the Tavus API's address, whose host may be private. Raises NoPicture."""
    try:
        parts = urlsplit(url)
        connection = _connection(parts, api_url)
    except (ValueError, OSError) as error:
        raise NoPicture(f"Its address can't be used: {type(error).__name__}.") from error
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": ", ".join(KINDS), "User-Agent": "echoadmin"})
        return _read(connection.getresponse())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NoPicture(f"Its host can't be reached: {type(error).__name__}.") from error
    finally:
        connection.close()


class _Pinned(http.client.HTTPSConnection):
    """HTTPS to one address, whatever the host's name means by then; the certificate is still the name's."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=PATIENCE)
        self.address = address

    def connect(self) -> None:
        """Connect to the address that was checked."""
        plain = socket.create_connection((self.address, self.port), PATIENCE)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def _connection(parts: SplitResult, api_url: str) -> http.client.HTTPConnection:
    api = urlsplit(api_url)
    if not parts.hostname or parts.username or parts.password:
        raise NoPicture("Its address is not a plain https one.")
    if (parts.scheme, parts.hostname, parts.port) == (api.scheme, api.hostname, api.port):
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=PATIENCE)
    if parts.scheme != "https":
        raise NoPicture("Its address is not a plain https one.")
    port = parts.port or 443
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]) for info in found]
    if not addresses or not all(_is_public(address) for address in addresses):
        raise NoPicture("Its address is not a public one.")
    return _Pinned(parts.hostname, port, addresses[0])


def _read(answer: http.client.HTTPResponse) -> Picture:
    if answer.status != 200:
        raise NoPicture(f"Its host answered {answer.status}.")
    kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    if kind not in KINDS:
        raise NoPicture(f"It is no picture but {kind[:80] or 'of no stated kind'}.")
    content, until = bytearray(), time.monotonic() + LONGEST
    while piece := answer.read1(64 * 1024):
        content += piece
        if len(content) > LIMIT:
            raise NoPicture(f"It is larger than {LIMIT // 1024 // 1024} MB.")
        if time.monotonic() > until:
            raise NoPicture("Its host sends it too slowly.")
    return Picture(bytes(content), kind)


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in TRANSLATED:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inside or ip
    return ip.is_global and not ip.is_multicast
