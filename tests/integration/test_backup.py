"""A backup is made while a console speaks; what is restored from it has everything, says nothing and ends nothing."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from echoadmin.installation import UNFINISHED, UnfinishedRestore, refuse_other_mode
from tests.acceptance.calling import Call
from tests.console_process import ROOT, ConsoleProcess, free_ports, running_console, start_console
from tests.postgresql_server import on_server
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)

LINE = "This sentence has sixty characters, so it takes four seconds. "
IMMEDIATELY = "Said and spoken before."

New = Callable[[], dict[str, str]]
"""The environment of a new, empty place for a database."""


def on_sqlite() -> Iterator[New]:
    yield dict


def on_postgresql() -> Iterator[New]:
    made = []
    keys = {
        "ECHOADMIN_SECRET_KEY": secrets.token_urlsafe(48),
        "ECHOADMIN_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }

    def new() -> dict[str, str]:
        name = f"backup_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(on_server("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return {"DATABASE_URL": on_server(name), **keys}

    yield new
    with psycopg.connect(on_server("postgres"), autocommit=True) as admin:
        for name in made:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.own_database), "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[New]:
    if request.param == "postgresql" and not (settings.DATABASE_URL and shutil.which("pg_dump")):
        pytest.skip("needs a PostgreSQL as DATABASE_URL, and pg_dump")
    yield from on_sqlite() if request.param == "sqlite" else on_postgresql()


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def restored(console: ConsoleProcess, folder: Path, data: Path, given: dict[str, str]) -> dict[str, str]:
    """Restore into a new place; the settings to go on with there, against the same twin."""
    more = {
        **given,
        "TAVUS_API_URL": console.twin_url,
        "DAILY_PROXY_URL": f"https://localhost:{console.environment['TWIN_DAILY_PORT']}",
        "DAILY_CA_FILE": str(console.data / "twin" / "ca.pem"),
    }
    done = manage({**console.environment, "ECHOADMIN_DATA": str(data), **more}, "restore", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as they were written" in done.stdout
    return more


def duties(call: Call) -> dict[str, int]:
    return {row["name"]: row["runs"] for row in call.ask("GET", "duties/")["results"]}


def test_what_was_accepted_is_restored_and_nothing_is_said_twice_or_ended(place: New, tmp_path: Path) -> None:
    passphrase = {"ECHOADMIN_BACKUP_PASSPHRASE": secrets.token_urlsafe(20)}
    with running_console(tmp_path / "original", **place(), **passphrase, TWIN_SPEED="4") as console:
        original = Call(console, console.api_key())
        original.open()
        spoken = original.say(IMMEDIATELY)
        original.until_final(spoken)
        queued = [original.say(LINE * 2) for _ in range(6)]
        original.until_state(queued[0], "speaking")
        folder = tmp_path / "backup"
        console.manage("backup", str(folder))
        before = original.echoes()
        assert any(before[one]["state"] == "queued" for one in queued), "it is made while something is still queued"

        data = tmp_path / "restored"
        more = restored(console, folder, data, {**place(), **passphrase})
        other = start_console(data, free_ports(3), **more)
        try:
            check_copy(original, Call(other, original.key, original.id, original.upstream_id), spoken, queued, folder)
        finally:
            other.stop()


def check_copy(original: Call, copy: Call, spoken: str, queued: list[str], folder: Path) -> None:
    mine = copy.echoes()
    assert mine[spoken]["state"] == "spoken"
    ends = [(mine[one]["state"], mine[one]["reason"]) for one in queued]
    assert set(ends) <= {("spoken", ""), ("unconfirmed", "restored"), ("cancelled", "restored")}
    assert ends[-1] == ("cancelled", "restored")
    room = copy.ask("GET", f"conversations/{copy.id}/")["room"]
    assert (room["wanted"], room["state"]) == ("idle", "idle")

    heads = [json.loads(line) for line in (folder / "heads.jsonl").read_text().splitlines()]
    head = next(one["n"] for one in heads if one["stream"] == copy.id)
    kept = [entry for entry in copy.entries() if entry["n"] <= head]
    assert kept == [entry for entry in original.entries() if entry["n"] <= head]
    assert len(kept) == head, "every entry up to the head is there"

    at_start = duties(copy)
    until(lambda: duties(copy)["follow_log"] >= at_start["follow_log"] + 2, "the copy does its inward duties")
    for one in queued:
        original.until_state(one, "spoken", limit=60)
    now = duties(copy)
    outward = ("sync_conversations", "look_for_orphans", "deliver_webhooks", "look_where_asked")
    assert {name: now[name] for name in outward} == {name: at_start[name] for name in outward}, "none reaches outside"
    check_room(original, [spoken, *queued])

    assert "awake" in copy.console.manage("wake")
    until(lambda: duties(copy)["look_for_orphans"] > at_start["look_for_orphans"], "awake it does all its duties")
    check_room(original, [spoken, *queued])
    written = copy.ask("GET", "entries/?kind=operator&limit=100")["results"]
    assert {"installation.backed_up", "installation.restored", "installation.woken"} <= {
        entry["event_type"] for entry in written
    }


def check_room(original: Call, ids: list[str]) -> None:
    """The paid conversation goes on, and carried each line once."""
    assert original.texts_sent() == dict.fromkeys(ids, 1)
    assert original.ask("GET", f"conversations/{original.id}/")["status"] == "active"
    [room] = original.http.get(f"{original.console.twin_url}/twin/rooms").json()
    assert room["status"] == "active"


# --- what is refused ---


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A backup of an installation that was never used, without its keys, and the environment that made it."""
    data = tmp_path_factory.mktemp("small")
    foreign = ("ECHOADMIN_", "DATABASE_URL", "REDIS_URL", "TWIN_", "TAVUS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment = {**inherited, "ECHOADMIN_DATA": str(data / "data")}
    assert manage(environment, "migrate").returncode == 0
    (data / "data" / "spool").mkdir()
    (data / "data" / "spool" / "left.spool").write_bytes(b"entries that wait for the database")
    done = manage(environment, "backup", str(data / "backup"))
    assert done.returncode == 0, done.stderr
    assert "The keys are not in it" in done.stdout
    return data / "backup", environment


def changed(small: tuple[Path, dict[str, str]], tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A copy of it that may be spoiled, and an empty place with its keys."""
    folder, environment = small
    shutil.copytree(folder, tmp_path / "backup")
    (tmp_path / "data").mkdir()
    for name in ("secret_key", "signing_key"):
        shutil.copy(Path(environment["ECHOADMIN_DATA"]) / name, tmp_path / "data" / name)
    return tmp_path / "backup", {**environment, "ECHOADMIN_DATA": str(tmp_path / "data")}


def refused(environment: dict[str, str], folder: Path, *more: str) -> str:
    done = manage(environment, "restore", str(folder), *more)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_nothing_secret_lies_in_a_backup_and_only_its_owner_reads_it(small: tuple[Path, dict[str, str]]) -> None:
    folder, environment = small
    assert folder.stat().st_mode & 0o077 == 0
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for name in ("secret_key", "signing_key"):
        assert (Path(environment["ECHOADMIN_DATA"]) / name).read_bytes().strip() not in content


@pytest.mark.own_database
def test_a_backup_that_was_changed_is_refused(small: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, environment = changed(small, tmp_path)
    heads = folder / "heads.jsonl"
    kept = heads.read_bytes()
    heads.write_bytes(kept + b"\n")
    assert "heads.jsonl is not as it was" in refused(environment, folder)
    heads.write_bytes(kept)
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(told | {"entries": told["entries"] + 1}))
    assert "was changed after it was signed" in refused(environment, folder)
    (folder / "manifest.json").unlink()
    assert "has no manifest.json" in refused(environment, folder)


@pytest.mark.own_database
def test_it_is_restored_into_an_empty_place_only(small: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, environment = changed(small, tmp_path)
    assert manage(environment, "restore", str(folder)).returncode == 0
    assert (tmp_path / "data" / "spool" / "left.spool").read_bytes() == b"entries that wait for the database"
    assert "is not empty" in refused(environment, folder)
    again = manage(environment, "backup", str(folder))
    assert again.returncode == 1
    assert "is not empty" in again.stderr


@pytest.mark.own_database
def test_other_keys_are_told_with_the_way_out(small: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, environment = changed(small, tmp_path)
    (tmp_path / "data" / "secret_key").unlink()
    said = refused(environment, folder)
    assert "another ECHOADMIN_SECRET_KEY" in said
    assert "copy the old data folder's secret_key" in said
    given = {**environment, "ECHOADMIN_SECRET_KEY": secrets.token_urlsafe(48)}
    assert "unset ECHOADMIN_SECRET_KEY" in refused(given, folder)
    shutil.copy(Path(small[1]["ECHOADMIN_DATA"]) / "secret_key", tmp_path / "data" / "secret_key")
    assert manage(environment, "restore", str(folder)).returncode == 0, "a refusal leaves the place empty"


@pytest.mark.django_db
def test_nothing_starts_on_a_database_whose_restore_did_not_end() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {UNFINISHED} (id integer)")
        try:
            with pytest.raises(UnfinishedRestore, match="restore it anew"):
                refuse_other_mode("sandbox")
        finally:
            cursor.execute(f"DROP TABLE {UNFINISHED}")
