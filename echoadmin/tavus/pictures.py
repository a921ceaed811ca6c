"""Fetches a replica's thumbnail for the console's own pages, so that a browser never asks a vendor's host.

The address comes from upstream and is not trusted: only pictures and short videos, at most 20 MB, only public addresses
(or the API's own host), no redirects, and none of our credentials.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx

LIMIT = 20 * 1024 * 1024  # bytes
KINDS = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/mp4", "video/webm")
TIMEOUT = httpx.Timeout(10.0, connect=5.0)


class NoPicture(Exception):
    """The thumbnail can't be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's bytes and their media type (one of KINDS)."""

    content: bytes
    media_type: str


def fetch(url: str, api_url: str, transport: httpx.BaseTransport | None = None) -> Picture:
    """The picture behind `url`. api_url: the Tavus API's address, whose host may be private. Raises NoPicture."""
    _check(url, api_url)
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False, transport=transport) as client,
            client.stream("GET", url, headers={"accept": ", ".join(KINDS), "user-agent": "echoadmin"}) as answer,
        ):
            if answer.status_code != 200:
                raise NoPicture(f"Its host answered {answer.status_code}.")
            _check_peer(answer, url, api_url)
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind not in KINDS:
                raise NoPicture(f"It is no picture but {kind[:80] or 'of no stated kind'}.")
            return Picture(b"".join(_limited(answer)), kind)
    except httpx.HTTPError as error:
        raise NoPicture(f"Its host can't be reached: {type(error).__name__}.") from error


def _limited(answer: httpx.Response) -> Iterator[bytes]:
    size = 0
    for piece in answer.iter_bytes():
        size += len(piece)
        if size > LIMIT:
            raise NoPicture(f"It is larger than {LIMIT // 1024 // 1024} MB.")
        yield piece


def _check(url: str, api_url: str) -> None:
    try:
        parts = urlsplit(url)
        if _same_host(parts, urlsplit(api_url)):
            return
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
            raise NoPicture("Its address is not a plain https one.")
        addresses = {
            info[4][0] for info in socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        }
    except (ValueError, OSError) as error:
        raise NoPicture(f"Its address can't be used: {type(error).__name__}.") from error
    if not all(_is_public(str(address)) for address in addresses):
        raise NoPicture("Its address is not a public one.")


def _check_peer(answer: httpx.Response, url: str, api_url: str) -> None:
    """The name may have meant another address when the connection was made than when it was checked."""
    stream = answer.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    if peer and not _same_host(urlsplit(url), urlsplit(api_url)) and not _is_public(str(peer[0])):
        raise NoPicture("Its address is not a public one.")


def _same_host(one: SplitResult, other: SplitResult) -> bool:
    return (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global and not ip.is_multicast
