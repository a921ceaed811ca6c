"""Signatures and addresses of webhooks out."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from echoadmin.deliveries import addresses, signing
from echoadmin.deliveries.addresses import BadAddress, is_public, read, resolve


def test_a_signature_is_the_one_of_the_specification() -> None:
    # The example of the specification's own reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signing.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_headers_carry_a_signature_for_each_secret() -> None:
    one, two = signing.new_secret(), signing.new_secret()
    assert one != two and one.startswith("whsec_")
    made = signing.headers([one, two], "dl_1", 5, b"{}")
    signatures = [signing.signature(secret, "dl_1", 5, b"{}") for secret in (one, two)]
    assert made == {"webhook-id": "dl_1", "webhook-timestamp": "5", "webhook-signature": " ".join(signatures)}


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1"),
        *("fec0::1", "::127.0.0.1", "::8.8.8.8", "64:ff9b:1::a00:1", "240.0.0.1", "198.18.0.1", "2001::1"),
    ],
)
def test_addresses_of_own_networks_are_known_however_they_are_written(address: str) -> None:
    assert is_public(address) is False


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address) is True


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "http://", "https:///x", "http://a:b@example.com/", "http://a@b/"),
        *(
            "http://example.com:99999/",
            "http://example.com:0/",
            "http://[::1/",
            "http://exa mple.com/",
            "http://é.example/",
        ),
        *("http://example.com/\n", "javascript:alert(1)", "file:///etc/passwd"),
    ],
)
def test_what_is_no_address_to_send_to_is_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        read(url)


def found(*found_addresses: str) -> Any:
    def look_up(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found_addresses]

    return look_up


def test_the_connection_goes_to_the_address_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses.socket, "getaddrinfo", found("93.184.216.34"))
    target = resolve("https://hook.example/a/b?c=d#e")
    assert (target.url, target.host, target.authority) == (
        *("https://93.184.216.34:443/a/b?c=d", "hook.example", "hook.example"),
    )
    assert resolve("http://hook.example:8080").authority == "hook.example:8080"
    monkeypatch.setattr(addresses.socket, "getaddrinfo", found("2606:4700::1"))
    assert resolve("https://hook.example/").url == "https://[2606:4700::1]:443/"


@pytest.mark.parametrize("own", ["127.0.0.1", "169.254.169.254", "10.0.0.5"])
def test_a_name_that_stands_for_an_own_network_among_others_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: Any, own: str
) -> None:
    monkeypatch.setattr(addresses.socket, "getaddrinfo", found("93.184.216.34", own))
    with pytest.raises(BadAddress, match="DELIVER_TO_PRIVATE_ADDRESSES"):
        resolve("https://hook.example/")
    settings.DELIVER_TO_PRIVATE_ADDRESSES = True
    assert resolve("https://hook.example/").host == "hook.example"


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "[::1]", "localhost", "[::ffff:127.0.0.1]"])
def test_this_machine_is_known_under_all_of_its_names(host: str) -> None:
    with pytest.raises(BadAddress):
        resolve(f"http://{host}:80/")


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(BadAddress, match="can't be found"):
        resolve("https://nothing-here.invalid/")
