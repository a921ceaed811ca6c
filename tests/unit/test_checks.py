"""What a deployment must have is told at start, each with the setting that mends it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import CheckMessage, run_checks
from django.utils import timezone
from pytest_django import Settings

from echoadmin import consoles
from echoadmin.installation import Console, Installation, WrongMode, refuse_other_mode, stamp

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "ECHOADMIN_MODE": "live",
    "TAVUS_API_KEY": "a-key",
    "DATABASE_URL": "postgres://echoadmin@127.0.0.1:5432/echoadmin",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "PUBLIC_URL": "https://echo.example.com",
    "ECHOADMIN_ALLOWED_HOSTS": "echo.example.com",
    "ECHOADMIN_TRUSTED_PROXIES": "127.0.0.1",
    "ECHOADMIN_ROOMS": "worker",
    "ECHOADMIN_SECRET_KEY": "of fifty characters or more, as a deployment gives one: 0123456789",
    "ECHOADMIN_SIGNING_KEY": base64.b64encode(bytes(range(32))).decode(),
}


def ids(found: list[CheckMessage]) -> set[str | None]:
    return {message.id for message in found if str(message.id).startswith("echoadmin")}


def manage(data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, "ECHOADMIN_DATA": str(data), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_production_environment_passes_the_deployment_checks(tmp_path: Path) -> None:
    checked = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert checked.returncode == 0, checked.stderr


def test_live_without_a_key_is_refused_with_the_way_out(tmp_path: Path) -> None:
    refused = manage(tmp_path, "serve", ECHOADMIN_MODE="live")
    assert refused.returncode == 1
    assert "TAVUS_API_KEY is not set" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_setting_that_makes_no_sense_is_one_line(tmp_path: Path) -> None:
    refused = manage(tmp_path, "check", PORT="eighty")
    assert refused.returncode == 1
    assert refused.stderr == "echoadmin: PORT='eighty' is no number; give one from 1 to 65535\n"


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused = manage(tmp_path / "file" / "var", "check")
    assert refused.returncode == 1
    assert "ECHOADMIN_DATA" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_postgresql_needs_a_given_secret_key(tmp_path: Path) -> None:
    environment = {name: value for name, value in PRODUCTION.items() if name != "ECHOADMIN_SECRET_KEY"}
    refused = manage(tmp_path, "check", **environment)
    assert refused.returncode == 1
    assert "echoadmin.E002" in refused.stderr


def test_postgresql_needs_a_given_signing_key(tmp_path: Path) -> None:
    environment = {name: value for name, value in PRODUCTION.items() if name != "ECHOADMIN_SIGNING_KEY"}
    refused = manage(tmp_path, "check", **environment)
    assert refused.returncode == 1
    assert "echoadmin.E008" in refused.stderr


def test_a_signing_key_that_is_none_is_told_without_being_shown(tmp_path: Path) -> None:
    for wrong in ("c2VjcmV0", "-----BEGIN PRIVATE KEY-----c2VjcmV0", "secrét"):
        refused = manage(tmp_path, "check", ECHOADMIN_SIGNING_KEY=wrong)
        assert "echoadmin.E009" in refused.stderr
        assert "openssl genpkey" in refused.stderr
        assert wrong not in refused.stderr and "c2VjcmV0" not in refused.stderr


def test_sqlite_makes_its_own_secret_key(tmp_path: Path) -> None:
    checked = manage(tmp_path, "check", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr
    assert len((tmp_path / "secret_key").read_text(encoding="ascii")) >= 50


def test_a_data_folder_that_went_away_is_an_error(settings: Settings, tmp_path: Path) -> None:
    settings.DATA = tmp_path / "gone"
    assert "echoadmin.E003" in ids(run_checks())


def test_workers_without_redis_are_warned_about(settings: Settings) -> None:
    settings.ROOMS, settings.REDIS_URL = "worker", ""
    assert "echoadmin.W001" in ids(run_checks())
    settings.REDIS_URL = "redis://127.0.0.1"
    assert "echoadmin.W001" not in ids(run_checks())


@pytest.mark.django_db
def test_a_database_belongs_to_the_mode_that_stamped_it(settings: Settings) -> None:
    refuse_other_mode("live")  # nobody's yet
    row = stamp("sandbox")
    assert stamp("sandbox").webhook_secret == row.webhook_secret
    assert Installation.objects.count() == 1
    with pytest.raises(WrongMode, match="ECHOADMIN_MODE=sandbox"):
        refuse_other_mode("live")
    with pytest.raises(WrongMode):
        stamp("live")
    settings.MODE = "live"
    assert "echoadmin.E004" in ids(run_checks(databases=["default"]))
    assert "echoadmin.E004" not in ids(run_checks())  # without a database there is nothing to look at


def console(name: str, pid: int, host: str = "elsewhere", seconds: float = 30) -> Console:
    now = timezone.now()
    return Console.objects.create(
        name=name, host=host, pid=pid, started_at=now, lease_until=now + timedelta(seconds=seconds)
    )


@pytest.fixture
def alone(db: None, settings: Settings) -> Settings:
    settings.REDIS_URL = ""
    stamp("sandbox")
    return settings


def test_a_second_console_without_redis_is_refused(alone: Settings) -> None:
    console("first", 1)
    with pytest.raises(consoles.SecondConsole, match=r"pid 1 on elsewhere.*REDIS_URL"):
        consoles.refuse_second()
    alone.REDIS_URL = "redis://127.0.0.1"
    consoles.refuse_second()


def test_a_console_whose_lease_ended_is_no_console(alone: Settings) -> None:
    console("first", 1, seconds=-0.1)
    consoles.refuse_second()


def test_a_dead_console_of_this_machine_is_taken_over_at_once(alone: Settings) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    console("dead", ended.pid, host=consoles.machine())
    consoles.refuse_second()
    console("living", os.getppid(), host=consoles.machine())
    with pytest.raises(consoles.SecondConsole):
        consoles.refuse_second()


def test_several_consoles_without_redis_are_an_error(alone: Settings) -> None:
    console("first", 1)
    assert "echoadmin.E006" not in ids(run_checks(databases=["default"]))
    console("second", 2)
    assert "echoadmin.E006" in ids(run_checks(databases=["default"]))
    alone.REDIS_URL = "redis://127.0.0.1"
    assert "echoadmin.E006" not in ids(run_checks(databases=["default"]))


@pytest.mark.django_db(transaction=True)
def test_a_console_renews_its_lease_until_it_gives_it_back(settings: Settings) -> None:
    settings.REDIS_URL, settings.WORKER_LEASE = "", 0.3
    stamp("sandbox")
    consoles.take()
    try:
        consoles.take()  # a second time is the same
        first = Console.objects.get()
        while Console.objects.get().lease_until == first.lease_until:
            pass
        assert Console.objects.get().pid == os.getpid()
        consoles.refuse_second()  # it is not its own rival
    finally:
        consoles.release()
    assert not Console.objects.exists()
