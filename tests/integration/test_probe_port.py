"""The port of a worker's own: probes and metrics of a process that is no server."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.console_process import ConsoleProcess, free_ports, running_console
from tests.worker_process import start_worker

pytestmark = [pytest.mark.own_database, pytest.mark.xdist_group("probe port")]


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    with running_console(tmp_path_factory.mktemp("console"), ECHOADMIN_ROOMS="worker") as started:
        yield started


@pytest.fixture(scope="module")
def port(console: ConsoleProcess) -> Iterator[int]:
    """A worker of that console, in its data folder; its port."""
    [port] = free_ports(1)
    worker = start_worker("w1", console.data, {**console.environment, "ECHOADMIN_WORKER_PORT": str(port)})
    yield port
    assert worker.drain(30) == 0


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_it_answers_the_probes_as_a_console_does(port: int) -> None:
    status, body = ask(port, "/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    status, body = ask(port, "/readyz")
    assert (status, json.loads(body)["parts"]["worker"]) == (200, "ok")


def test_its_metrics_are_its_own_and_not_the_database_s(port: int, console: ConsoleProcess) -> None:
    status, own = ask(port, "/metrics")
    assert status == 200
    assert 'echoadmin_log_waiting{worker="w1"} 0.0' in own
    assert 'echoadmin_spool_files{worker="w1"} 0.0' in own
    assert 'echoadmin_echo_step_seconds_count{step="queued_to_sending"} 0.0' in own
    assert "echoadmin_database_up 1" in own
    assert "echoadmin_rooms{" not in own
    with urllib.request.urlopen(f"{console.url}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    assert 'echoadmin_worker_capacity{worker="w1"} 100.0' in told


def test_metrics_from_elsewhere_need_a_key(port: int, console: ConsoleProcess) -> None:
    elsewhere = {"X-Forwarded-For": "203.0.113.7"}
    assert ask(port, "/metrics", **elsewhere)[0] == 401
    key = console.api_key("scrape")
    assert ask(port, "/metrics", **elsewhere, Authorization=f"Bearer {key}")[0] == 200


@pytest.mark.parametrize(("path", "method", "code"), [("/admin/", "GET", 404), ("/healthz", "POST", 405)])
def test_it_answers_nothing_else(port: int, path: str, method: str, code: int) -> None:
    status, body = ask(port, path, method)
    assert status == code
    assert json.loads(body)["error"]["code"] in ("not_found", "method_not_allowed")


def test_a_caller_that_says_nothing_holds_nobody_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        assert ask(port, "/healthz")[0] == 200


def test_a_port_that_is_taken_is_told_and_the_worker_ends(console: ConsoleProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {**console.environment, "ECHOADMIN_WORKER_PORT": str(taken.getsockname()[1])}
        with pytest.raises(RuntimeError, match="ECHOADMIN_WORKER_PORT"):
            start_worker("w2", console.data, environment)
