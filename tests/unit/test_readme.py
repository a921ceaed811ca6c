"""The README keeps up with the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_names_every_variable_that_the_settings_read() -> None:
    settings = (ROOT / "echoadmin" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings)) - {"TEST_DATABASE_NAME"}
    table = README[README.index("## Settings") : README.index("## Going to production")]
    named = {name for row in table.splitlines() for name in re.findall(r"`([A-Z_]+)`", row[1:].split("|")[0])}
    assert read - named == set()
    assert named - read == set()


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)", README)) - {"it"}
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
