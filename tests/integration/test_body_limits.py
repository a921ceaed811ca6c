"""What is read of a request's body, by real sockets: clients that send too much, unasked, or too slowly."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from django.contrib.auth.models import Group, User
from django.test import Client

from echoadmin import bodies
from echoadmin.accounts.keys import create_key
from echoadmin.actors import Actor
from echoadmin.asgi import application
from tests.passwords import QUICK
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
PIECE = b"x" * 50_000
API = "/api/v1/scripts/clips/"
LIMIT = 30.0  # seconds to wait for an answer


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with the console's application, as `serve` runs it, without rooms."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http="httptools", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    until(lambda: server.started, "the server started")
    yield int(listening.getsockname()[1])
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture
def key(transactional_db: None) -> str:
    user = User.objects.create(username="ana", password=QUICK)
    user.groups.add(Group.objects.get_or_create(name="operator")[0])
    return f"Authorization: Bearer {create_key(user=user, label='test', actor=Actor('test'))[1]}"


class Sender:
    """A client that sends what it is told, however wrong, and reads the answer."""

    def __init__(self, port: int, path: str, *headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        head = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        self.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        self.sent = 0

    def chunk(self, data: bytes) -> bool:
        """Whether it could still be sent."""
        try:
            self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            return False
        self.sent += len(data)
        return True

    def answer(self) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        self.socket.close()
        return int(head.split()[1]), json.loads(body) if body.startswith(b"{") else {"text": body.decode()}


def code(answer: dict[str, Any]) -> Any:
    assert set(answer["error"]) == {"code", "message", "fields", "upstream", "request_id"}
    return answer["error"]["code"]


def test_a_stranger_is_told_so_before_a_large_body_is_sent(port: int) -> None:
    """Not one byte of the body is sent: the answer comes by the head alone."""
    status, answer = Sender(port, API, "Content-Length: 500000000").answer()
    assert (status, code(answer)) == (401, "unauthenticated")


def test_a_key_that_opens_nothing_and_a_made_up_session_send_no_large_body(port: int, key: str) -> None:
    from django.conf import settings

    for header in (f"{key}x", "Authorization: Bearer none", f"Cookie: {settings.SESSION_COOKIE_NAME}=made-up"):
        status, answer = Sender(port, API, "Content-Length: 500000000", header).answer()
        assert (status, code(answer)) == (401, "unauthenticated"), header


def test_what_is_announced_as_too_large_is_refused_unread(port: int, key: str) -> None:
    for path, size in ((API, 600_000_000), ("/api/v1/personas", 65_000_000 + 2_200_000), ("/api/v1/none/", 64_001)):
        kind = "Content-Type: multipart/form-data; boundary=x"
        status, answer = Sender(port, path, f"Content-Length: {size}", key, kind).answer()
        assert (status, code(answer)) == (413, "too_large"), path
        assert answer["error"]["request_id"]


def test_a_stranger_who_does_not_say_how_much_is_cut_off_after_a_forms_worth(port: int) -> None:
    sender = Sender(port, API, "Transfer-Encoding: chunked")
    assert sender.chunk(PIECE)
    sender.chunk(PIECE)
    status, answer = sender.answer()
    assert (status, code(answer)) == (401, "unauthenticated")


def test_bytes_are_counted_where_no_length_is_given(port: int, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "largest", lambda path, kind: 200_000)
    sender = Sender(port, API, "Transfer-Encoding: chunked", key, "Content-Type: application/json")
    while sender.sent < 1_000_000 and sender.chunk(PIECE):
        pass
    status, answer = sender.answer()
    assert (status, code(answer)) == (413, "too_large")


def test_who_may_sends_much_by_key_and_by_session(port: int, key: str) -> None:
    browser = Client()
    browser.force_login(User.objects.get())
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    body = json.dumps({"audio": "!" * 300_000}).encode()
    for who in (key, f"Cookie: {cookies}"):
        sender = Sender(port, API, "Transfer-Encoding: chunked", who, "Content-Type: application/json")
        for at in range(0, len(body), len(PIECE)):
            sender.chunk(body[at : at + len(PIECE)])
        sender.socket.sendall(b"0\r\n\r\n")
        status, answer = sender.answer()
        # Read whole: the first is refused for its samples, the second for the form's token that no other site has.
        assert (status, code(answer)) == ((400, "invalid") if who == key else (403, "forbidden"))


def test_a_body_that_dribbles_in_is_ended_with_408(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "GRACE", 0.3)
    sender = Sender(port, "/api/v1/personas/", "Content-Length: 1000")
    sender.socket.sendall(b"{")
    status, answer = sender.answer()
    assert (status, code(answer)) == (408, "too_slow")


def test_a_webhook_may_be_as_large_as_its_address_takes_and_no_larger(port: int) -> None:
    status, answer = Sender(port, "/webhooks/tavus/wrong/", "Content-Length: 9000000").answer()
    assert (status, code(answer)) == (413, "too_large")


@pytest.mark.parametrize("length", ["nonsense", "-1"])
def test_a_length_that_is_none_is_refused(port: int, length: str) -> None:
    assert Sender(port, API, f"Content-Length: {length}").answer()[0] == 400


def test_a_page_takes_a_file_from_who_is_signed_in_and_nothing_large_from_others(port: int) -> None:
    status, answer = Sender(port, "/admin/login/", "Content-Length: 70000").answer()
    assert (status, code(answer)) == (401, "unauthenticated")


def test_small_requests_are_passed_on_untouched(port: int, key: str) -> None:
    body = b'{"text": "no such script"}'
    headers = (f"Content-Length: {len(body)}", key, "Content-Type: application/json")
    one = Sender(port, "/api/v1/scripts/none/run/", *headers)
    one.socket.sendall(body)
    status, answer = one.answer()
    assert (status, code(answer)) == (404, "not_found")
