"""The commands of compose.yaml and of the units, run as they stand there, with the environment that they get there."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from tests.console_process import free_ports
from tests.integration.deployed import (
    DEPLOY,
    ROOT,
    here,
    image_environment,
    image_healthcheck,
    services_of_ours,
    unit,
    unit_environment,
)
from tests.postgresql_server import on_server
from tests.twin_process import TwinProcess
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(not (settings.DATABASE_URL and settings.REDIS_URL), reason="needs PostgreSQL and Redis"),
    pytest.mark.timeout(240),
]


@dataclass
class Site:
    """What stands in the place of a host: secrets, a database, a folder, and no way to the vendors."""

    secrets: Path
    folder: Path
    environment: dict[str, str]


@pytest.fixture
def site(tmp_path: Path, session_twin: TwinProcess) -> Iterator[Site]:
    name = f"deploy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(on_server("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    folder = tmp_path / "secrets"
    subprocess.run([DEPLOY / "make-secrets", folder], check=True, capture_output=True, timeout=30)
    (folder / "database_url").write_text(on_server(name))
    (folder / "tavus_api_key").write_text(secrets.token_urlsafe(24))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    here_only = {
        "REDIS_URL": settings.REDIS_URL,
        "TAVUS_API_URL": session_twin.url,
        "DAILY_PROXY_URL": session_twin.daily_url,
        "DAILY_CA_FILE": session_twin.ca_file,
    }
    yield Site(folder, tmp_path, {**kept, **here_only})
    with psycopg.connect(on_server("postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def answer(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as told:
            return int(told.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return 0


class Running:
    """A command, until the `with` ends: by SIGTERM then, and with 0."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.command, self.environment, self.log = command, environment, log

    def __enter__(self) -> Running:
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        return self

    def until_ready(self, port: int) -> None:
        until(lambda: self._answers(port), f"{' '.join(self.command[1:])} is ready", 60)

    def _answers(self, port: int) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return answer(port, "/readyz") == 200

    def __exit__(self, *failure: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        finally:
            self.process.kill()
        assert code == 0 or failure[0] is not None, self.log.read_text()


def container(service: str, site: Site, port: int) -> tuple[list[str], dict[str, str]]:
    """The command of a service, and its environment: its own port and folder, since all share one host here."""
    told = services_of_ours()[service]
    given = {**image_environment(), **{name: str(value) for name, value in told["environment"].items()}}
    given = {name: value.replace("/run/secrets", str(site.secrets)) for name, value in given.items()}
    own = {"PUBLIC_URL": "https://localhost", "ECHOADMIN_DATA": str(site.folder / service), "HOST": "127.0.0.1"}
    ports = {name: str(port) for name in ("PORT", "ECHOADMIN_WORKER_PORT") if name in given}
    return here(told["command"]), {**given, **site.environment, **own, **ports}


def healthy(environment: dict[str, str], port: int) -> None:
    check = [word.replace("8000", str(port)) for word in here(image_healthcheck())]
    subprocess.run(check, env=environment, check=True, timeout=30)


def test_the_services_of_compose_start_in_their_order_and_are_healthy(site: Site) -> None:
    console_port, worker_port = free_ports(2)
    command, environment = container("migrate", site, console_port)
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120)
    command, environment = container("console-a", site, console_port)
    with Running(command, environment, site.folder / "console.log") as console:
        console.until_ready(console_port)
        healthy(environment, console_port)
        command, environment = container("worker-a", site, worker_port)
        with Running(command, environment, site.folder / "worker.log") as worker:
            worker.until_ready(worker_port)
            healthy(environment, worker_port)
            assert answer(worker_port, "/metrics") == 200
            backup = [*command[:2], "backup", str(site.folder / "backup")]
            if shutil.which("pg_dump"):
                subprocess.run(backup, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120)


def test_the_units_commands_start_and_stop(site: Site) -> None:
    console_port, worker_port = free_ports(2)
    started = {
        "echoadmin-console.service": ("PORT", console_port),
        "echoadmin-worker@.service": ("ECHOADMIN_WORKER_PORT", worker_port),
    }
    for name, (variable, port) in started.items():
        given = unit_environment(name, site.secrets, site.folder)
        state = Path(given["ECHOADMIN_DATA"])
        state.mkdir(exist_ok=True)
        environment = {**given, **site.environment, variable: str(port)}
        [line] = unit(name)["ExecStart"]
        command = here(line.replace("%H", "host").replace("%i", "1").split())
        with Running(command, environment, site.folder / f"{variable}.log") as running:
            running.until_ready(port)
