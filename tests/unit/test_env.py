"""The typed readers of the environment: each rejects nonsense by naming the variable and the way out."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from echoadmin import env
from echoadmin.env import BadSetting

NAME = "ECHOADMIN_TEST_SETTING"


def refused(read: Callable[[], Any]) -> str:
    with pytest.raises(BadSetting) as refusal:
        read()
    assert NAME in str(refusal.value)
    return str(refusal.value)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "   ")
    assert env.text(NAME, "default") == "default"
    assert env.number(NAME, 3, 0, 10) == 3
    assert env.flag(NAME, True) is True
    assert env.optional_number(NAME) is None
    assert env.words(NAME, ("a",)) == ["a"]


@pytest.mark.parametrize(("raw", "value"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False)])
def test_a_flag_takes_the_usual_words(monkeypatch: pytest.MonkeyPatch, raw: str, value: bool) -> None:
    monkeypatch.setenv(NAME, raw)
    assert env.flag(NAME, not value) is value


def test_a_flag_that_is_neither_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "maybe")
    assert "1 or 0" in refused(lambda: env.flag(NAME))


@pytest.mark.parametrize("raw", ["seven", "1e999", "nan", "-1", "65536", "80.5", "0"])
def test_a_port_is_a_whole_number_in_range(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv(NAME, raw)
    refused(lambda: env.port(NAME, 8000))


def test_a_choice_names_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "Live")
    assert env.choice(NAME, ("sandbox", "live"), "sandbox") == "live"
    monkeypatch.setenv(NAME, "prod")
    assert "sandbox, live" in refused(lambda: env.choice(NAME, ("sandbox", "live"), "sandbox"))


@pytest.mark.parametrize("raw", ["tavusapi.com", "ftp://tavusapi.com", "https://", "//host"])
def test_a_url_needs_a_scheme_and_a_host(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv(NAME, raw)
    refused(lambda: env.url(NAME))


def test_a_url_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "https://tavusapi.com/")
    assert env.url(NAME) == "https://tavusapi.com"


def test_a_secret_can_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-the-file\n", encoding="utf-8")
    monkeypatch.setenv(NAME, "from-the-variable")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "key"))
    assert env.secret(NAME) == "from-the-file"


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "nothing"))
    assert str(tmp_path / "nothing") in refused(lambda: env.secret(NAME))


def test_a_made_secret_is_kept_and_is_its_owners_alone(tmp_path: Path) -> None:
    first = env.secret_file(tmp_path / "secret", env.new_secret)
    assert env.secret_file(tmp_path / "secret", env.new_secret) == first
    assert len(first) >= 50
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_folder_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(NAME, str(tmp_path / "a" / "b"))
    assert env.folder(NAME, tmp_path).is_dir()


def test_a_folder_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(NAME, str(tmp_path / "file" / "folder"))
    assert str(tmp_path / "file") in refused(lambda: env.folder(NAME, tmp_path))


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ("off", env.Policy(looks=False)), ("WARN", env.Policy()), ("end:2.5", env.Policy(ends=True, minutes=2.5)),
        ("", env.Policy(ends=True, minutes=2)),
    ],
)  # fmt: skip
def test_a_policy_is_off_warn_or_an_end(monkeypatch: pytest.MonkeyPatch, given: str, policy: env.Policy) -> None:
    monkeypatch.setenv("ORPHAN", given)
    assert env.policy("ORPHAN", "end:2") == policy


@pytest.mark.parametrize("given", ["end", "end:", "end:-1", "end:soon", "end:nan", "stop:5", "warn:3"])
def test_what_is_no_policy_is_refused_with_an_example(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("ORPHAN", given)
    with pytest.raises(env.BadSetting, match="such as end:10"):
        env.policy("ORPHAN", "warn")
