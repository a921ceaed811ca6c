"""Where webhooks may go: to the public internet, and only where DELIVER_TO_PRIVATE_ADDRESSES is set to this network.

Otherwise whoever can name an address could have this console talk to what only it can reach. A name is looked up once,
all that it stands for is judged, and the connection goes to an address that was judged: a name that says something else
a moment later helps nobody.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

PORTS = {"http": 80, "https": 443}
# IPv4 in IPv6: by a translator (RFC 6052, RFC 8215), and as it was once written (RFC 4291, 2.5.5.1).
_EMBEDDING = [ip_network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")]


class BadAddress(ValueError):
    """A URL that webhooks can't, or may not, go to; the words say why and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A judged address: where to connect, and what the other side is called."""

    url: str  # with the address in the host's place
    host: str
    authority: str  # for the Host header


def read(url: str) -> SplitResult:
    """The URL's parts. Raises BadAddress for what is no web address, or carries a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("Is no URL. It looks like https://example.com/hook.") from None
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise BadAddress("Is no URL. It looks like https://example.com/hook.")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("Holds a name or a password, which would be seen. The signature says who sends.")
    if not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
        raise BadAddress("Holds characters that a URL can't have. Encode them.")
    return parts


def resolve(url: str) -> Target:
    """Looks the name up, now. Raises BadAddress."""
    parts = read(url)
    host = str(parts.hostname)
    port = parts.port or PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadAddress(f"The name {host} can't be found: {error}.") from None
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not settings.DELIVER_TO_PRIVATE_ADDRESSES and (private := [one for one in addresses if not is_public(one)]):
        raise BadAddress(
            f"{host} is {private[0]}, an address of this machine's own networks. Use one that is reachable from the "
            "internet, or have DELIVER_TO_PRIVATE_ADDRESSES=1 set where the console runs."
        )
    where = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    named = f"[{host}]" if ":" in host else host
    authority = named if port == PORTS[parts.scheme] else f"{named}:{port}"
    return Target(f"{parts.scheme}://{where}:{port}{path}", host, authority)


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, however it is written."""
    found: IPv4Address | IPv6Address = ip_address(address.split("%")[0])
    if isinstance(found, IPv6Address):
        if found.is_site_local or any(found in network for network in _EMBEDDING):
            return False
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            found = inner
    return found.is_global and not found.is_multicast and not found.is_reserved
