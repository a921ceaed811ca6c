"""After a day at a real console none of its secrets lies in its data, its output, or an answer."""

from __future__ import annotations

import base64
import secrets
import sqlite3
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.acceptance.secret_scan import after_suite, noting
from tests.acceptance.secret_scan.day import Day
from tests.acceptance.secret_scan.scanning import scan_folder, scan_texts, tokens_of_twins
from tests.console_process import running_console
from tests.twin_process import running_twin

WEBHOOK = "from echoadmin.installation import Installation; print(Installation.objects.get().webhook_secret)"


@pytest.mark.own_database
@pytest.mark.timeout(240)
def test_none_of_the_days_secrets_lies_where_anybody_finds_it(tmp_path: Path) -> None:
    planted = {"TAVUS_API_KEY": secrets.token_urlsafe(24)}
    data, vendor = tmp_path / "console", tmp_path / "vendor"
    with running_twin(vendor) as twin:
        settings: dict[str, Any] = {
            "TAVUS_API_KEY": planted["TAVUS_API_KEY"],
            "DAILY_CA_FILE": twin.ca_file,
            "LOG_LEVEL": "DEBUG",
            "DELIVER_TO_PRIVATE_ADDRESSES": "1",
        }
        with running_console(data, twin=twin, **settings) as console:
            day = Day(console, twin, planted)
            webhook = day.plant("webhook secret", console.manage("shell", "-c", WEBHOOK).splitlines()[-1])
            day.sign_in()
            day.change_password()
            day.enrol()
            day.make_keys()
            day.converse()
            day.listen()
            day.go_wrong()
            day.report(webhook)
            day.look_around()
            day.break_a_page()
            day.end()
        tokens = tokens_of_twins(vendor)
    assert tokens, "the room was private"
    secret = {**planted, **tokens}
    assert len(secret) >= 20
    found = [*scan_texts(day.answers, secret), *scan_folder(data, secret)]
    assert not found, "\n".join(map(str, found))
    for name in ("TAVUS_API_KEY", "API key", "password", "authenticator seed"):
        with (data / "serve.log").open("ab") as log:
            log.write(f"{secret[name]}\n".encode())
        assert [one for one in scan_folder(data, secret) if one.secret == name], "it would have been seen"


VALUE = secrets.token_urlsafe(15)
LONG = "x" * 5000  # longer than a page of a database


def _sqlite(path: Path, value: str) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE t (a TEXT)")
    database.execute("INSERT INTO t VALUES (?)", [LONG[:4070] + value + LONG])
    database.commit()
    database.close()


def _zip(path: Path, value: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", value)


@pytest.mark.parametrize(
    "written",
    [
        f"before {VALUE} after".encode(),
        quote(VALUE + "/?").encode(),
        *(base64.b64encode(b"y" * shift + VALUE.encode() + b"and more") for shift in range(3)),
        *(base64.urlsafe_b64encode(b"y" * shift + VALUE.encode()) for shift in range(3)),
        VALUE.encode().hex().encode(),
        VALUE.encode("utf-16-le"),
        b"z" * (8 * 1024 * 1024 - 7) + VALUE.encode(),
    ],
    ids=range(11),  # the values are of this process alone, and test processes have to agree on the names
)
def test_a_planted_secret_is_found_however_it_is_written(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(written)
    [found] = {(one.secret, one.place) for one in scan_folder(tmp_path, {"planted": VALUE})}
    assert found == ("planted", "deep/file")
    assert scan_texts([("an answer", written)], {"planted": VALUE})
    assert not scan_folder(tmp_path, {"another": secrets.token_urlsafe(15)})


def test_a_planted_secret_is_found_in_a_database_and_in_a_zip_and_the_report_does_not_repeat_it(tmp_path: Path) -> None:
    _sqlite(tmp_path / "a.sqlite3", VALUE)
    _zip(tmp_path / "b.zip", VALUE)
    found = scan_folder(tmp_path, {"planted": VALUE})
    assert {one.place for one in found} >= {"a.sqlite3:t", "b.zip:a.txt"}
    assert not any(VALUE in str(one) for one in found)


def test_the_look_after_the_suite_fails_on_a_noted_secret_and_on_no_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noted, left = tmp_path / "noted", tmp_path / "left"
    left.mkdir()
    arguments = ["--noted", str(noted), str(left)]
    assert after_suite.main(arguments) == 2
    monkeypatch.setenv(noting.NOTED, str(noted))
    noting.note("API key", VALUE)
    assert after_suite.main(arguments) == 0
    (left / "serve.log").write_text(f"GET /?key={VALUE}")
    assert after_suite.main(arguments) == 1
    told = capsys.readouterr().out
    assert "API key 0, in clear, in serve.log" in told
    assert VALUE not in told
