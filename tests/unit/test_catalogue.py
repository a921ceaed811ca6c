"""The catalogue of errors is complete, and its page is up to date."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from echoadmin.api.catalogue import ALL, CODES, REST, page

ROOT = Path(__file__).resolve().parents[2]
APART = ("twin", "migrations", "management", "sandbox", "admin")
"""What speaks to people's browsers, or is no part of the API."""

MAKERS = {"refused": 1, "Problem": 1, "_refused": 2}
"""What makes an error → which argument is its code."""


def test_no_code_is_used_that_is_not_in_the_catalogue() -> None:
    strangers = {f"{where}: {code}" for where, code in used() if code not in CODES}
    assert strangers == set()


def test_no_code_is_in_the_catalogue_that_is_not_used() -> None:
    assert set(CODES) - {code for _, code in used()} == set()


def test_a_code_is_there_once_and_says_what_it_means_and_the_way_out() -> None:
    assert len(CODES) == len(ALL)
    assert all(code.meaning.endswith(".") and code.way_out.endswith(".") for code in ALL)


def test_the_page_is_the_catalogue() -> None:
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("code", [code for code in ALL if code.where == REST], ids=lambda code: code.name)
def test_an_answer_is_an_error(code: object) -> None:
    assert 400 <= code.status < 600  # type: ignore[attr-defined]


def used() -> Iterator[tuple[str, str]]:
    """Every code that the source names, with where it stands."""
    for path in (path for app in ("echoadmin", "personas", "conversations") for path in (ROOT / app).rglob("*.py")):
        place = path.relative_to(ROOT)
        if set(place.parts) & set(APART) or path.name in ("catalogue.py", "admin.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for code in _codes_of(node):
                yield f"{place}:{getattr(node, 'lineno', 0)}", code


def _codes_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        yield from _attributes(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
        place = MAKERS[node.func.id]
        if len(node.args) > place:
            yield from _texts(node.args[place])
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        if [*_texts(node.args[1])] == ["code"] and len(node.args) == 3:
            yield from _texts(node.args[2])
    elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["_CODES"]:
        yield from (text for value in node.value.values for text in _texts(value))  # type: ignore[attr-defined]


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    """`code = "…"` in a class's body: how refusals and upstream's errors name theirs."""
    for line in node.body:
        if isinstance(line, ast.Assign) and [ast.unparse(target) for target in line.targets] == ["code"]:
            yield from _texts(line.value)


def _texts(node: ast.AST) -> Iterator[str]:
    """A code, unless it is a sentence: another function of the same name."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+", node.value):
        yield node.value
