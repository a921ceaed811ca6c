"""Thumbnails: what is fetched, what is not, and that no name can lead into the console's own network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from echoadmin.tavus import pictures
from echoadmin.tavus.pictures import NoPicture, fetch

PUBLIC_API = "https://tavusapi.com"


class Answers(BaseHTTPRequestHandler):
    """Answers each path as its test says."""

    def do_GET(self) -> None:
        status, kind, body = {
            "/face.png": (200, "image/png", b"PNG"),
            "/face.mp4": (200, "video/mp4; codecs=avc1", b"MP4"),
            "/page": (200, "text/html", b"<script>"),
            "/svg": (200, "image/svg+xml", b"<svg onload=1>"),
            "/huge": (200, "image/png", b"x" * 2000),
            "/moved": (302, "image/png", b""),
            "/inwards": (307, "image/png", b""),
        }.get(self.path, (404, "text/plain", b""))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == 302:
            self.send_header("Location", "/face.png")
        if status == 307:
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_pictures_and_short_videos_come_back(host: str) -> None:
    assert fetch(f"{host}/face.png", host).content == b"PNG"
    assert fetch(f"{host}/face.mp4", f"{host}/v2").media_type == "video/mp4"


@pytest.mark.parametrize("path", ["/page", "/svg", "/moved", "/inwards", "/nowhere"])
def test_what_is_no_picture_does_not(path: str, host: str) -> None:
    with pytest.raises(NoPicture):
        fetch(host + path, host)


def test_what_is_too_large_does_not(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LIMIT", 1000)
    with pytest.raises(NoPicture, match="larger"):
        fetch(f"{host}/huge", host)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "https://user:password@example.com/a.png",
        "https://127.0.0.1/a.png",
        "https://[::1]/a.png",
        "https://[::ffff:127.0.0.1]/a.png",
        "https://[64:ff9b::a9fe:a9fe]/a.png",
        "https://[2002:a9fe:a9fe::]/a.png",
        "https://10.1.2.3/a.png",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/a.png",
        "https://localhost/a.png",
        "https://example.com:99999/a.png",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_not_public_is_not_asked(url: str) -> None:
    with pytest.raises(NoPicture):
        fetch(url, PUBLIC_API)


def test_another_port_of_the_apis_own_host_is_not_the_api(host: str) -> None:
    with pytest.raises(NoPicture):
        fetch(f"{host}/face.png", host.rpartition(":")[0] + ":1")


def test_a_name_that_also_means_a_private_address_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("93.184.216.34", "192.168.0.1")]
    resolve: Callable[..., object] = lambda *args, **kwargs: found  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NoPicture, match="not a public one"):
        fetch("https://cdn.example/a.png", PUBLIC_API)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    answers = [("93.184.216.34", 443)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [(socket.AF_INET, 1, 6, "", answers[0])])

    def refuse(address: tuple[str, int], *args: object) -> socket.socket:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(NoPicture, match="reached"):
        fetch("https://cdn.example/a.png", PUBLIC_API)
    assert asked == answers
