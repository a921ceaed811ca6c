"""What the code must not become: no branch on the mode in the core, no long files, no drawers without an owner."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("echoadmin", "personas", "conversations")
CODE = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.relative_to(ROOT).parts
)

MODE_NAMES = {"MODE", "SANDBOX", "ECHOADMIN_MODE"}
MAY_BRANCH = (
    "echoadmin/settings.py",
    "echoadmin/env.py",
    "echoadmin/checks.py",
    "echoadmin/sandbox/",
    "echoadmin/twin/",
)
MAY_NAME = {
    "echoadmin/health.py": "/healthz tells the mode to programs that are about to spend money",
    "echoadmin/serving/console.py": "stamps the database with the mode, and greets with it",
    "echoadmin/admin_site.py": "shows the mode on every page",
    "conversations/management/commands/runrooms.py": "asserts that the database is of this mode",
    "echoadmin/accounts/second_factor.py": "names the mode in an authenticator's list of accounts",
    "echoadmin/backup/making.py": "writes the mode into a backup",
    "echoadmin/backup/restoring.py": "asserts that a backup is of this mode",
    "conversations/webhooks/secrets.py": "stamps the database with the mode",
    "conversations/rooms/worker.py": "stamps the database with the mode: spools are of one database's installation",
}
LONGEST = 350  # lines
DRAWERS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def test_no_branch_on_the_mode_in_the_core() -> None:
    core = [path for path in CODE if not str(path.relative_to(ROOT)).startswith(MAY_BRANCH)]
    found = [hit for path in core for hit in mode_mentions(path)]
    assert [hit for hit in found if hit.endswith("branches") or hit.split(":")[0] not in MAY_NAME] == []


def test_the_scan_sees_each_way_to_branch_on_the_mode(tmp_path: Path) -> None:
    ways = (
        "if settings.SANDBOX: pass",
        "x = 1 if settings.MODE == 'live' else 2",
        "from echoadmin.settings import SANDBOX",
        "x = os.environ['ECHOADMIN_MODE']",
        "x = getattr(settings, 'MODE')",
        "x = {'live': 1}[settings.MODE]",
        "match settings.MODE:\n    case 'live': pass",
    )
    for way in ways:
        (tmp_path / "case.py").write_text(way, encoding="utf-8")
        assert list(mode_mentions(tmp_path / "case.py", root=tmp_path)), way


def test_a_branch_is_told_from_a_mention(tmp_path: Path) -> None:
    case = tmp_path / "case.py"
    case.write_text("stamp(settings.MODE)", encoding="utf-8")
    assert [hit.rsplit(" ", 1)[1] for hit in mode_mentions(case, root=tmp_path)] == ["names"]
    case.write_text("if settings.MODE == 'live': pass", encoding="utf-8")
    assert "branches" in [hit.rsplit(" ", 1)[1] for hit in mode_mentions(case, root=tmp_path)]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_one_thing(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{lines} lines: make it a folder of the same name"


def test_no_module_is_a_drawer() -> None:
    drawers = {str(path.relative_to(ROOT)) for path in CODE if {path.stem, *path.parent.parts} & DRAWERS}
    assert drawers <= {"echoadmin/sqlite3/base.py"}, "a database's backend has to be named so, and nothing else"


def test_no_function_is_longer_than_fifty_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert long == []


def mode_mentions(path: Path, root: Path = ROOT) -> Iterator[str]:
    """`file:line names` for each mention of the mode, `file:line branches` for each that decides something."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    deciding = {id(inner) for node in ast.walk(tree) for part in decisions(node) for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if mentions_mode(node):
            how = "branches" if id(node) in deciding else "names"
            yield f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)} {how}"


def decisions(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that choose what happens."""
    match node:
        case ast.If() | ast.IfExp() | ast.While() | ast.Assert():
            return [node.test]
        case ast.Compare() | ast.BoolOp():
            return [node]
        case ast.Match():
            return [node.subject]
        case ast.Subscript():
            return [node.slice]
        case ast.comprehension():
            return list(node.ifs)
    return []


def mentions_mode(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="settings"), attr=name) if name in MODE_NAMES:
            return True
        case ast.ImportFrom(names=names) if any(alias.name in MODE_NAMES for alias in names):
            return True
        case ast.Constant(value=str(name)) if name in MODE_NAMES:
            return True
    return False
